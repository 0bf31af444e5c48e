import { readFile } from "node:fs/promises";
import { rootCertificates } from "node:tls";
import { systemErrorCode } from "../base/index.ts";
import type { Environment } from "./lean/index.ts";

/** Where Linux distributions keep the authorities that the machine trusts. */
const systemBundles = ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem", "/etc/ssl/cert.pem"];
const maxBundle = 4 * 1024 * 1024;

async function readBundle(path: string | undefined): Promise<string | undefined> {
  if (path === undefined || path === "") return undefined;
  try {
    const text = await readFile(path, "utf8");
    return text.length <= maxBundle ? text : undefined;
  } catch (error) {
    const code = systemErrorCode(error);
    if (code === "ENOENT" || code === "EACCES" || code === "EISDIR" || code === "ENOTDIR") return undefined;
    throw error;
  }
}

/**
 * The authorities that this machine trusts, PEM: Node's own, and the system's bundle, since Node alone does not know what an organisation has
 * installed there. `SSL_CERT_FILE` names another bundle, `NODE_EXTRA_CA_CERTS` one more.
 */
export async function systemRoots(env: Environment): Promise<readonly string[]> {
  const named = env["SSL_CERT_FILE"];
  const candidates = named === undefined || named === "" ? systemBundles : [named];
  let system: string | undefined;
  for (const path of candidates) system ??= await readBundle(path);
  const extra = await readBundle(env["NODE_EXTRA_CA_CERTS"]);
  return [...rootCertificates, ...[system, extra].filter((text) => text !== undefined)];
}
