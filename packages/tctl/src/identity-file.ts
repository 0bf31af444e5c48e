import { X509Certificate, createPrivateKey, createPublicKey, type KeyObject } from "node:crypto";
import { GatehouseError, systemClock } from "@gatehouse/core/base";
import { readFileLimited, type LoginRecord } from "@gatehouse/core/client";

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

/**
 * A login from an identity file (reference §6.9, format `file`). Throws `bad_parameter` for another file, `unauthenticated` where its certificate has
 * ended, and `internal` where others may read it.
 */
export async function readIdentityFile(path: string, proxy: string): Promise<LoginRecord> {
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
  if (expires <= systemClock.now()) throw new GatehouseError("unauthenticated", `the certificate in ${path} ended at ${new Date(expires).toISOString()}`, { hint: "ask for a new identity file" });
  const lines = text.replaceAll(block, "").split("\n").map((line) => line.trim());
  return {
    version: 1,
    proxy,
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
