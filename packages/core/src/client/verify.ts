import { X509Certificate, createPublicKey, type KeyObject } from "node:crypto";
import type { SshLoginResponse } from "../api/index.ts";
import { GatehouseError, describeDuration, escapeLine } from "../base/index.ts";
import { parseSshCertificate, sshPublicKey } from "../formats/index.ts";
import type { LoginRecord } from "./lean/index.ts";

/** What a login's answer is checked against. */
export interface Expected {
  readonly privateKey: KeyObject;
  /** PKCS #8, PEM. */
  readonly privateKeyPem: string;
  readonly proxy: string;
  /** Name that was logged in with; undefined where the provider decides it. */
  readonly user: string | undefined;
  /** ms since the epoch. */
  readonly now: number;
  /** The gateway's clock, ms since the epoch, where it said so. */
  readonly gatewayNow: number | undefined;
}

/** Clocks that differ by more than this are told, ms. */
const maxSkew = 60_000;
const decode = (text: string): string => Buffer.from(text, "base64").toString("utf8");
const bad = (what: string): GatehouseError => new GatehouseError("internal", `the gateway's answer cannot be used: ${what}`, { hint: "nothing was stored; tell the gateway's operator" });

function readX509(pem: string): X509Certificate {
  try {
    return new X509Certificate(pem);
  } catch (error) {
    throw new GatehouseError("internal", "the gateway's answer cannot be used: its X.509 certificate cannot be read", { cause: error });
  }
}

/** How this machine's clock is off, in words; undefined where it is right to a minute. */
export function clockSkew(now: number, gatewayNow: number | undefined): string | undefined {
  if (gatewayNow === undefined || Math.abs(now - gatewayNow) <= maxSkew) return undefined;
  return `this machine's clock is ${describeDuration(Math.abs(now - gatewayNow))} ${now > gatewayNow ? "ahead of" : "behind"} the gateway's`;
}

function checkTimes(certificate: X509Certificate, expected: Expected): void {
  const skew = clockSkew(expected.now, expected.gatewayNow);
  const notBefore = Date.parse(certificate.validFrom);
  const notAfter = Date.parse(certificate.validTo);
  const hint = "set this machine's clock and log in again";
  if (notBefore > expected.now) throw new GatehouseError("internal", `the certificate is not valid before ${new Date(notBefore).toISOString()}: ${skew ?? "the clocks differ"}`, { hint });
  if (notAfter <= expected.now) throw new GatehouseError("internal", `the certificate has ended already, at ${new Date(notAfter).toISOString()}: ${skew ?? "the clocks differ"}`, { hint });
}

/**
 * Turns a login's answer into a record, after checking that both certificates are over our own key and for the same person, that the host
 * authority signed nothing of it, and that it is valid now. Throws `internal` saying what is wrong; nothing unchecked is ever stored.
 */
export function verifyLogin(response: SshLoginResponse, expected: Expected): LoginRecord {
  const publicKey = createPublicKey(expected.privateKey);
  const sshText = decode(response.cert).trim();
  const tlsPem = decode(response.tls_cert);
  const ssh = parseSshCertificate(sshText);
  if (ssh.type !== "user" || !sshPublicKey(publicKey).equals(ssh.publicKey)) throw bad("its SSH certificate is not over the key that was sent");
  const tls = readX509(tlsPem);
  if (!publicKey.equals(tls.publicKey)) throw bad("its X.509 certificate is not over the key that was sent");
  const commonName = /^CN=(.*)$/m.exec(tls.subject)?.[1]?.replace(/\\(.)/g, "$1");
  if (commonName !== response.username || ssh.keyId !== response.username) throw bad("its certificates are for another person than it says");
  if (expected.user !== undefined && response.username !== expected.user) throw bad(`it is for ${escapeLine(response.username)}, not for ${escapeLine(expected.user)}`);
  checkTimes(tls, expected);
  const [signer] = response.host_signers;
  if (!signer || signer.domain_name === "" || signer.tls_certs.length === 0) throw bad("it names no host authority");
  return {
    version: 1,
    proxy: expected.proxy,
    cluster: signer.domain_name,
    username: response.username,
    privateKey: expected.privateKeyPem,
    sshCertificate: sshText,
    tlsCertificate: tlsPem,
    hostKeys: signer.checking_keys.map((key) => decode(key).trim()),
    hostCertificates: signer.tls_certs.map((certificate) => readX509(decode(certificate)).toString()),
    issued: expected.now,
    expires: Date.parse(tls.validTo),
    ...(response.renewable_until === undefined ? {} : { renewableUntil: response.renewable_until }),
  };
}
