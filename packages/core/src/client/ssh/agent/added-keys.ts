import type { AgentIdentity, AgentRequest } from "../../../formats/ssh/index.ts";
import type { SessionBindings } from "./bindings.ts";

/** Keys that clients bring and take away, where no agent behind takes them. */
export interface AddedKeys {
  /** Those that the sessions may see. */
  list(sessions: SessionBindings): readonly AgentIdentity[];
  has(blob: Buffer): boolean;
  /** Signature blob; undefined where the key may not sign this here. */
  sign(request: AgentRequest & { readonly type: "sign" }, sessions: SessionBindings): Promise<Buffer | undefined>;
  /** Takes the contents of a request of type `add`, which are overwritten by whoever called. False where it may not be. Throws `bad_parameter`. */
  add(contents: Buffer, sessions: SessionBindings): boolean;
  /** False where there is no such key that the sessions may see. */
  remove(blob: Buffer, sessions: SessionBindings): boolean;
  clear(): void;
}

/** What an agent's clients can lock. The passphrases are overwritten. */
export interface DialogueLock {
  readonly isLocked: boolean;
  /** Throws a `GatehouseError` where it cannot be. */
  lock(passphrase: Buffer): Promise<void>;
  /** Throws a `GatehouseError` where it cannot be. */
  unlock(passphrase: Buffer): Promise<void>;
}
