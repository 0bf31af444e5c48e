import type { ClientHome, Environment } from "./home.ts";
import { keychainKeystore } from "./keychain.ts";
import { fileKeystore, type Keystore, type KeystoreKind } from "./keystore.ts";
import { formatRecord, parseRecord, type LoginRecord } from "./record.ts";

/** The logins kept in one keystore, by profile name. */
export interface LoginStore {
  read(profile: string): Promise<LoginRecord | undefined>;
  write(profile: string, record: LoginRecord): Promise<void>;
  /** True where there was one. */
  remove(profile: string): Promise<boolean>;
}

/** Opens the logins of one home in a keystore of this kind; `keystore` is for tests. */
export function openLogins(home: ClientHome, kind: KeystoreKind, env: Environment, keystore?: Keystore): LoginStore {
  const store = keystore ?? (kind === "file" ? fileKeystore(home.keys) : keychainKeystore(env));
  // The keychain is shared by all homes of a person.
  const account = (profile: string): string => (kind === "file" || home.isDefault ? profile : `${profile} in ${home.path}`);
  return {
    async read(profile) {
      const text = await store.getPassword(account(profile));
      return text === undefined ? undefined : parseRecord(text);
    },
    write: (profile, record) => store.setPassword(account(profile), formatRecord(record)),
    remove: (profile) => store.deletePassword(account(profile)),
  };
}
