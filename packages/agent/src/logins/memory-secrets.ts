import { GatehouseError } from "@gatehouse/core/base";
import { maxRecord, parseRecord, type Keystore } from "@gatehouse/core/client/lean";

/** Texts at once; one per login. */
const maxSecrets = 256;

/** The keystore `memory`: texts as bytes that are overwritten when they go. */
export interface MemorySecrets {
  readonly size: number;
  get(account: string): string | undefined;
  /** Throws `limit_exceeded` for a text or a number of them that no login has. */
  set(account: string, text: string): void;
  /** True where there was one. */
  delete(account: string): boolean;
  /** All of them, for the agent that takes this one's place. */
  entries(): readonly (readonly [account: string, text: string])[];
  /** Overwrites all. */
  clear(): void;
}

/** An empty one. */
export function createMemorySecrets(): MemorySecrets {
  const held = new Map<string, Buffer>();
  const remove = (account: string): boolean => {
    held.get(account)?.fill(0);
    return held.delete(account);
  };
  return {
    get size() {
      return held.size;
    },
    get: (account) => held.get(account)?.toString("utf8"),
    set(account, text) {
      const bytes = Buffer.from(text, "utf8");
      if (bytes.length > maxRecord || account.length > 1024) throw new GatehouseError("limit_exceeded", `the local agent keeps no secret larger than ${maxRecord} bytes`);
      if (held.size >= maxSecrets && !held.has(account)) throw new GatehouseError("limit_exceeded", `the local agent keeps ${maxSecrets} secrets at most`);
      remove(account);
      held.set(account, bytes);
    },
    delete: remove,
    entries: () => [...held].map(([account, bytes]) => [account, bytes.toString("utf8")] as const),
    clear() {
      for (const account of [...held.keys()]) remove(account);
    },
  };
}

/** The same as commands see a keystore. */
export function secretsKeystore(secrets: MemorySecrets): Keystore {
  return {
    getPassword: (account) => Promise.resolve(secrets.get(account)),
    async setPassword(account, text) {
      await Promise.resolve();
      secrets.set(account, text);
    },
    deletePassword: (account) => Promise.resolve(secrets.delete(account)),
  };
}

/** Removes what is no login, and logins that have ended: nobody could use them. `now` in ms since the epoch. */
export function forgetEnded(secrets: MemorySecrets, now: number): void {
  for (const [account, text] of secrets.entries()) {
    try {
      if (parseRecord(text).expires > now) continue;
    } catch (error) {
      if (!(error instanceof GatehouseError)) throw error;
    }
    secrets.delete(account);
  }
}
