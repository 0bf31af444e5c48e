import { createHash, generateKeyPairSync, X509Certificate, type KeyObject } from "node:crypto";
import type { Clock, Random } from "@gatehouse/core/base";
import { buildCertificate, parseCertificate } from "@gatehouse/core/formats";

/** A private key and the certificate over it, PEM. */
export interface LocalPair {
  readonly key: string;
  readonly certificate: string;
}

/** What one listener and its one client show each other. */
export interface LocalIssue {
  readonly server: LocalPair;
  readonly client: LocalPair;
}

/** The authority of one run: its key never leaves this object, and it vouches for nobody but the listener and the kubeconfig of the run. */
export interface LocalAuthority {
  /** Its certificate, PEM. */
  readonly certificate: string;
  /** New keys and certificates; earlier ones stay good until their end. */
  issue(): LocalIssue;
  /** When a client certificate that was issued here ends, ms since the epoch; undefined for any other. */
  endOf(certificate: Buffer): number | undefined;
}

const hour = 3_600_000;
/** How long a certificate lasts, ms: a tool that reads its kubeconfig once may be open for days. */
const life = 7 * 24 * hour;
/** The authority outlasts every run that anybody has. */
const authorityLife = 3650 * 24 * hour;

const newKey = (): { readonly publicKey: KeyObject; readonly privateKey: KeyObject } => generateKeyPairSync("ec", { namedCurve: "P-256" });
const pem = (key: KeyObject): string => key.export({ type: "pkcs8", format: "pem" }).toString();
const digest = (certificate: Buffer): string => createHash("sha256").update(certificate).digest("hex");

/** Makes an authority for this machine's loopback. */
export function createLocalAuthority(clock: Clock, random: Random): LocalAuthority {
  const own = newKey();
  const ends = new Map<string, number>();
  // Positive, and never zero.
  const serial = (): bigint => BigInt(`0x${Buffer.from(random(15)).toString("hex")}`) + 1n;
  const validity = (length: number): { readonly notBefore: number; readonly notAfter: number } => ({ notBefore: clock.now() - hour, notAfter: clock.now() + length });
  const certificate = buildCertificate(
    { serial: serial(), subject: { CN: ["tsh proxy kube"] }, ...validity(authorityLife), publicKey: own.publicKey, ca: { pathLength: 0 }, keyUsage: ["keyCertSign"] },
    { privateKey: own.privateKey },
  );
  const signer = { privateKey: own.privateKey, certificate: parseCertificate(certificate) };
  const pair = (usage: "serverAuth" | "clientAuth", commonName: string): LocalPair => {
    const { publicKey, privateKey } = newKey();
    const names = usage === "serverAuth" ? { dnsNames: ["localhost"], ipAddresses: ["127.0.0.1"] } : {};
    const content = { serial: serial(), subject: { CN: [commonName] }, ...validity(life), publicKey, keyUsage: ["digitalSignature"] as const, extendedKeyUsage: [usage], ...names };
    return { key: pem(privateKey), certificate: buildCertificate(content, signer) };
  };
  return {
    certificate,
    issue() {
      const issued = { server: pair("serverAuth", "localhost"), client: pair("clientAuth", "kubeconfig") };
      const now = clock.now();
      for (const [known, end] of ends) if (end <= now) ends.delete(known);
      ends.set(digest(new X509Certificate(issued.client.certificate).raw), now + life);
      return issued;
    },
    endOf: (shown) => ends.get(digest(shown)),
  };
}
