import type { Clock, Random } from "@gatehouse/core/base";
import type { AgentLogin, AgentPlace, AgentVerbs } from "@gatehouse/core/client/local-agent";
import type { ClientHome, Environment } from "@gatehouse/core/client/lean";
import type { HeldKeys } from "@gatehouse/core/client/ssh";

/** What every part of the agent works with. */
export interface AgentContext {
  readonly env: Environment;
  readonly home: ClientHome;
  readonly place: AgentPlace;
  readonly clock: Clock;
  readonly random: Random;
  /** One line for the agent's log; never a secret. */
  readonly log: (text: string) => void;
}

/** The passphrase that locks the agent as a whole: ssh-agent's lock, and that of `tsh agent lock`. */
export interface AgentLock {
  readonly isLocked: boolean;
  /** Locked when it returns; the promise is that of the slow hash. Overwrites the passphrase. Throws `bad_parameter` for an empty one, `already_exists` where it is locked already. */
  lock(passphrase: Buffer): Promise<void>;
  /**
   * Overwrites the passphrase. Throws `access_denied` for a wrong one, `not_found` where it is not locked; every wrong one makes the next wait longer. `limit_exceeded` where too many
   * try at once.
   */
  unlock(passphrase: Buffer): Promise<void>;
}

/** The logins of a person, kept in the agent's memory while they are good. */
export interface AgentLogins {
  credentials(profile: string): Promise<string | null>;
  relogin(request: AgentVerbs["relogin"]["request"]): Promise<AgentVerbs["relogin"]["answer"]>;
  /** Sees logins and logouts that nobody told of; to be awaited before {@link AgentLogins.keys} are listed or sign. Waits a second at most for a keystore. */
  refresh(): Promise<void>;
  list(): readonly AgentLogin[];
  /** Keys and certificates of all logins that are good now, for ssh. */
  readonly keys: HeldKeys;
  /** The keystore `memory`. */
  readonly secrets: { get(account: string): string | undefined; set(account: string, text: string): void; delete(account: string): boolean };
  /** Nothing would be lost or missed if the agent ended now. */
  readonly isIdle: boolean;
  state(): unknown;
  restore(state: unknown): void;
  close(): Promise<void>;
}

/** The ssh-agent: {@link AgentLogins.keys}, keys that `ssh-add` brought, and the agent that was there before. */
export interface SshAgent {
  /** Of keys that `ssh-add` brought. */
  readonly addedKeys: number;
  readonly clients: number;
  /** Socket of the agent behind. */
  readonly upstream: string | undefined;
  /** Tells of the agent that a command found in its environment: it is the one behind from now on where there is none, or none any more. */
  follow(path: string): Promise<void>;
  /** No client, and no added key that would be lost. */
  readonly isIdle: boolean;
  /** The added keys, private halves and all, for the agent that takes its place; JSON. */
  state(): unknown;
  /** Throws `bad_parameter` for what is no state. */
  restore(state: unknown): void;
  /** Nobody can connect any more when it resolves, and who was connected is cut off. */
  close(): Promise<void>;
}
