import { generateKeyPairSync, randomBytes, type KeyObject } from "node:crypto";
import { buildCertificate, parseCertificate } from "@gatehouse/core/formats";

/** A certificate and its key, PEM. */
export interface Pair {
  readonly key: string;
  readonly cert: string;
}

/** A certificate authority that lives as long as the test. */
export interface TestAuthority {
  readonly cert: string;
  /** A server certificate for these names and addresses. */
  server(dnsNames: readonly string[], ipAddresses: readonly string[]): Pair;
  /** A client certificate of this common name. */
  client(commonName: string): Pair;
}

const hour = 3_600_000;

function keyPair(): { publicKey: KeyObject; privateKey: KeyObject } {
  return generateKeyPairSync("ec", { namedCurve: "prime256v1" });
}

function pem(key: KeyObject): string {
  return key.export({ type: "pkcs8", format: "pem" }).toString();
}

/** Makes an authority of this name, valid for a day. */
export function createTestAuthority(name: string): TestAuthority {
  const own = keyPair();
  const validity = { notBefore: Date.now() - hour, notAfter: Date.now() + 24 * hour };
  const serial = (): bigint => BigInt(`0x${randomBytes(15).toString("hex")}`) + 1n;
  const cert = buildCertificate(
    { serial: serial(), subject: { CN: [name] }, ...validity, publicKey: own.publicKey, ca: {}, keyUsage: ["keyCertSign", "digitalSignature"] },
    { privateKey: own.privateKey },
  );
  const signer = { privateKey: own.privateKey, certificate: parseCertificate(cert) };
  return {
    cert,
    server(dnsNames, ipAddresses) {
      const { publicKey, privateKey } = keyPair();
      const content = { serial: serial(), subject: { CN: [`${name} server`] }, ...validity, publicKey, keyUsage: ["digitalSignature"] as const };
      return { key: pem(privateKey), cert: buildCertificate({ ...content, extendedKeyUsage: ["serverAuth"], dnsNames, ipAddresses }, signer) };
    },
    client(commonName) {
      const { publicKey, privateKey } = keyPair();
      const content = { serial: serial(), subject: { CN: [commonName] }, ...validity, publicKey, keyUsage: ["digitalSignature"] as const };
      return { key: pem(privateKey), cert: buildCertificate({ ...content, extendedKeyUsage: ["clientAuth"] }, signer) };
    },
  };
}
