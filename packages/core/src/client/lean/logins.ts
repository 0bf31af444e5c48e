import type { ClientHome, Environment } from "./home.ts";
import { keychainKeystore } from "./keychain.ts";
import { memoryKeystore } from "./memory-keystore.ts";
import { fileKeystore, type Keystore, type KeystoreKind } from "./keystore.ts";
import { formatRecord, parseRecord, type LoginRecord } from "./record.ts";

/** The logins kept in one keystore, by profile name. */
export interface LoginStore {
  read(profile: string): Promise<LoginRecord | undefined>;
  write(profile: string, record: LoginRecord): Promise<void>;
  /** True where there was one. */
  remove(profile: string): Promise<boolean>;
}

function openKeystore(home: ClientHome, kind: KeystoreKind, env: Environment): Keystore {
  if (kind === "file") return fileKeystore(home.keys);
  return kind === "memory" ? memoryKeystore(home, env) : keychainKeystore(env);
}

/** Opens the logins of one home in a keystore of this kind; `keystore` is for tests, and for the agent, whose memory it is. */
export function openLogins(home: ClientHome, kind: KeystoreKind, env: Environment, keystore?: Keystore): LoginStore {
  const store = keystore ?? openKeystore(home, kind, env);
  // The keychain is shared by all homes of a person.
  const account = (profile: string): string => (kind !== "keychain" || home.isDefault ? profile : `${profile} in ${home.path}`);
  return {
    async read(profile) {
      const text = await store.getPassword(account(profile));
      return text === undefined ? undefined : parseRecord(text);
    },
    write: (profile, record) => store.setPassword(account(profile), formatRecord(record)),
    remove: (profile) => store.deletePassword(account(profile)),
  };
}

/**
 * Where a login may still be that a profile with this word had: there, and in a file, which costs nothing to look for. A keychain that was never used is not asked:
 * it may be locked, or have to be started.
 */
export const keystoresOf = (used: KeystoreKind | undefined): readonly KeystoreKind[] => (used === undefined || used === "file" ? ["file"] : [used, "file"]);
