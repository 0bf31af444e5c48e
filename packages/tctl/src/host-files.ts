import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { GatehouseError, escapeLine, fileProblem } from "@gatehouse/core/base";
import { newKey, refuseExisting, refuseUnwritable, writeIdentityFiles } from "@gatehouse/core/client/identity";
import { encodeOpenSshPrivateKey, parseAuthorizedKey } from "@gatehouse/core/formats";

/** A host's key, and where its certificate goes. */
export interface HostFiles {
  /** `authorized_keys` line. */
  readonly publicKey: string;
  /** Writes what there is to write; returns the paths. */
  write(certificate: string): Promise<readonly string[]>;
}

async function readKey(path: string): Promise<string> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (error) {
    throw new GatehouseError("bad_parameter", `--key: ${escapeLine(path)} ${fileProblem(error)}`, { cause: error });
  }
  parseAuthorizedKey(text);
  return text.trim();
}

/** The key that is given, or a new one; checks that its files can be written before anything is signed. Throws `usage` and `already_exists`. */
export async function prepareHostFiles(flags: { readonly key?: string | undefined; readonly out?: string | undefined; readonly force: boolean }): Promise<HostFiles> {
  const check = async (paths: readonly string[]): Promise<void> => {
    if (!flags.force) await refuseExisting(paths);
    await refuseUnwritable(paths);
  };
  if (flags.key !== undefined) {
    const publicKey = await readKey(flags.key);
    const path = resolve(flags.out ?? `${flags.key.replace(/\.pub$/, "")}-cert.pub`);
    await check([path]);
    return {
      publicKey,
      async write(certificate) {
        await writeIdentityFiles([{ path, text: certificate }]);
        return [path];
      },
    };
  }
  if (flags.out === undefined) throw new GatehouseError("usage", "which key?", { hint: "--key=FILE.pub is the host's own; --out=FILE makes one" });
  const out = resolve(flags.out);
  const paths = [out, `${out}.pub`, `${out}-cert.pub`];
  await check(paths);
  const key = await newKey();
  return {
    publicKey: key.line,
    async write(certificate) {
      const texts = [encodeOpenSshPrivateKey(key.privateKey), `${key.line}\n`, certificate];
      await writeIdentityFiles(paths.map((path, index) => ({ path, text: texts[index] ?? "" })));
      return paths;
    },
  };
}
