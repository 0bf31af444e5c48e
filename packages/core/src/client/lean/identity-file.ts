import { X509Certificate, createPrivateKey, createPublicKey, type KeyObject } from "node:crypto";
import { resolve } from "node:path";
import { GatehouseError } from "../../base/index.ts";
import { readFileLimited } from "./files.ts";
import { clientHome, parseProxyAddress, type Environment } from "./home.ts";
import { currentProfileName, readProfileHead } from "./profile-head.ts";
import type { LoginRecord } from "./record.ts";

const maxFile = 256 * 1024;
const block = /-----BEGIN ([A-Z0-9 ]+)-----[\s\S]*?-----END \1-----/g;

function bad(path: string, what: string): GatehouseError {
  return new GatehouseError("bad_parameter", `${path} is not an identity file: ${what}`, { hint: "it holds a private key, an SSH certificate, a TLS certificate and the cluster's authorities, in that order" });
}

function readKey(path: string, pem: string): KeyObject {
  try {
    return createPrivateKey(pem);
  } catch {
    // The parser's message may quote what it could not read.
    throw bad(path, "its private key cannot be read");
  }
}

function readCertificate(path: string, pem: string): X509Certificate {
  try {
    return new X509Certificate(pem);
  } catch (error) {
    throw new GatehouseError("bad_parameter", `${path} is not an identity file: a certificate in it cannot be read`, { cause: error });
  }
}

const part = (name: string, key: string): string | undefined => new RegExp(`^${key}=(.*)$`, "m").exec(name)?.[1];

/** The identity file that a command is to use: `-i`, else `TSH_IDENTITY_FILE`; an absolute path, or undefined for one's own login. */
export function chosenIdentity(env: Environment, flag: string | undefined): string | undefined {
  const asked = flag ?? env["TSH_IDENTITY_FILE"];
  return asked === undefined || asked === "" ? undefined : resolve(asked);
}

/** The line of an identity file that names its gateway, `host:port`: v3's have none. */
export const gatewayLine = (proxy: string): string => `# gateway: ${proxy}`;

/** Which gateway a file is for: as asked, as the file says, `TELEPORT_PROXY`, or the current profile. Throws `usage` where none of them says. */
async function gatewayOf(text: string, env: Environment, proxy: string | undefined): Promise<string> {
  const asked = proxy ?? /^# gateway: (\S{1,300})$/m.exec(text)?.[1] ?? env["TELEPORT_PROXY"];
  if (asked !== undefined && asked !== "") return parseProxyAddress(asked).text;
  const home = clientHome(env);
  const name = await currentProfileName(home);
  const current = name === undefined ? undefined : (await readProfileHead(home, name))?.web_proxy_addr;
  if (current === undefined) throw new GatehouseError("usage", "this identity file does not say which gateway it is for", { hint: "add --proxy=<gateway>" });
  return current;
}

/** What {@link readIdentityFile} is told besides the path. */
export interface IdentityOptions {
  readonly env: Environment;
  /** `--proxy`. */
  readonly proxy: string | undefined;
  /** ms since the epoch. */
  readonly now: number;
}

/**
 * A login from an identity file (reference §6.9, format `file`). Throws `bad_parameter` for another file, `usage` where nothing says which gateway it is
 * for, `unauthenticated` where its certificate has ended, and `internal` where others may read it.
 */
export async function readIdentityFile(path: string, options: IdentityOptions): Promise<LoginRecord> {
  const text = await readFileLimited(path, { limit: maxFile });
  if (text === undefined) throw new GatehouseError("not_found", `${path} does not exist`);
  const blocks = [...text.matchAll(block)];
  const keys = blocks.filter(([, type]) => type?.endsWith("PRIVATE KEY"));
  const [certificatePem, ...hostCertificates] = blocks.filter(([, type]) => type === "CERTIFICATE").map(([pem]) => pem);
  const [keyBlock] = keys;
  if (keyBlock === undefined || keys.length > 1) throw bad(path, `it has ${keys.length === 0 ? "no" : "more than one"} private key`);
  // Not before: a file that holds no key may be open to everybody.
  await readFileLimited(path, { limit: maxFile, secret: true });
  if (certificatePem === undefined) throw bad(path, "it has no TLS certificate");
  if (hostCertificates.length === 0) throw bad(path, "it has no certificate of the cluster's host authority");
  const key = readKey(path, keyBlock[0]);
  const certificate = readCertificate(path, certificatePem);
  if (!createPublicKey(key).equals(certificate.publicKey)) throw bad(path, "its certificate is not over its key");
  const cluster = part(certificate.issuer, "O");
  const username = part(certificate.subject, "CN");
  if (cluster === undefined || username === undefined) throw bad(path, "its certificate does not name a person and a cluster");
  const expires = Date.parse(certificate.validTo);
  if (expires <= options.now) throw new GatehouseError("unauthenticated", `the certificate in ${path} ended at ${new Date(expires).toISOString()}`, { hint: "ask for a new identity file" });
  const outside = text.replaceAll(block, "");
  const lines = outside.split("\n").map((line) => line.trim());
  return {
    version: 1,
    proxy: await gatewayOf(outside, options.env, options.proxy),
    cluster,
    username,
    privateKey: key.export({ type: "pkcs8", format: "pem" }).toString(),
    sshCertificate: lines.find((line) => /^\S+-cert-v01@openssh\.com /.test(line)) ?? "",
    tlsCertificate: certificatePem,
    hostKeys: lines.filter((line) => line.startsWith("@cert-authority ")).map((line) => line.split(" ").slice(2, 4).join(" ")),
    hostCertificates,
    issued: Date.parse(certificate.validFrom),
    expires,
  };
}
