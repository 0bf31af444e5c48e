import { rm } from "node:fs/promises";
import { join } from "node:path";
import { systemErrorCode } from "../../base/index.ts";
import { ensurePrivateDirectory, readFileLimited, writeFileAtomic } from "./files.ts";
import { maxRecord } from "./record.ts";

/** Where secrets are kept, one text per account. */
export interface Keystore {
  /** The text, or undefined where there is none. */
  getPassword(account: string): Promise<string | undefined>;
  setPassword(account: string, text: string): Promise<void>;
  /** True where there was one. */
  deletePassword(account: string): Promise<boolean>;
}

/** `keychain` is the operating system's; `file` is a file that its owner alone can read; `memory` is the local agent's, and gone with it. */
export type KeystoreKind = "keychain" | "file" | "memory";

/** Whether a profile's word names a keystore. */
export const isKeystoreKind = (kind: unknown): kind is KeystoreKind => kind === "keychain" || kind === "file" || kind === "memory";

/** Keeps secrets in files of mode 0600 in a directory of mode 0700. */
export function fileKeystore(directory: string): Keystore {
  const path = (account: string): string => join(directory, `${account}.json`);
  return {
    getPassword: (account) => readFileLimited(path(account), { limit: maxRecord, secret: true }),
    async setPassword(account, text) {
      await ensurePrivateDirectory(directory);
      await writeFileAtomic(path(account), text, 0o600);
    },
    async deletePassword(account) {
      try {
        await rm(path(account));
        return true;
      } catch (error) {
        if (systemErrorCode(error) === "ENOENT") return false;
        throw error;
      }
    },
  };
}
