import { createPrivateKey, createPublicKey, generateKeyPair as generate, type KeyObject } from "node:crypto";
import { promisify } from "node:util";
import { GatehouseError, type Random } from "../base/index.ts";
import { buildCertificate, certificatePublicKey, formatAuthorizedKey, parseAuthorizedKey, parseCertificate, sshPublicKey, type Certificate } from "../formats/index.ts";
import { storedAuthority, storedKeys, type StoredAuthority, type StoredKeys } from "./schema.ts";
import { tlsSerial } from "./serial.ts";
import type { AuthorityKind, KeyPair, TrustBundle } from "./types.ts";

const generateKeyPair = promisify(generate);
const lifetimeYears = 10;
/** A new CA is valid from a little earlier, for clients whose clocks are behind. */
const backdate = 3_600_000;

/** A certificate that signs, with its key. */
export interface TlsSigner {
  readonly privateKey: KeyObject;
  readonly certificate: Certificate;
}

/** One authority in memory. */
export interface Authority {
  readonly trust: TrustBundle;
  readonly sshKey: KeyObject;
  /** Absent for `openssh`, which signs no X.509. */
  readonly tls: TlsSigner | undefined;
  /** CA certificates that verify, with their keys. */
  readonly tlsVerifiers: readonly { readonly certificate: Certificate; readonly publicKey: KeyObject }[];
}

/** An authority as it is stored. */
export interface AuthorityRecord {
  readonly value: string;
  readonly secret: string;
}

/** A new ECDSA P-256 key pair for one certificate. */
export async function newKeyPair(): Promise<KeyPair> {
  const { privateKey, publicKey } = await generateKeyPair("ec", { namedCurve: "P-256" });
  return { privateKey, publicKey: formatAuthorizedKey(sshPublicKey(publicKey)) };
}

function caCertificate(clusterName: string, privateKey: KeyObject, now: number, random: Random): string {
  const serial = tlsSerial(random);
  const end = new Date(now);
  end.setUTCFullYear(end.getUTCFullYear() + lifetimeYears);
  return buildCertificate(
    {
      serial,
      subject: { O: [clusterName], CN: [clusterName], serialNumber: [serial.toString()] },
      notBefore: now - backdate,
      notAfter: end.getTime(),
      publicKey: createPublicKey(privateKey),
      ca: { pathLength: 0 },
      keyUsage: ["digitalSignature", "keyCertSign"],
    },
    { privateKey },
  );
}

/** Makes a new authority: an Ed25519 key for SSH and, but for `openssh`, a P-256 key and CA certificate (reference §4.3) for X.509. */
export async function createAuthority(kind: AuthorityKind, clusterName: string, now: number, random: Random): Promise<AuthorityRecord> {
  const ssh = await generateKeyPair("ed25519");
  const tls = kind === "openssh" ? [] : [(await newKeyPair()).privateKey];
  const value: StoredAuthority = {
    kind,
    cluster_name: clusterName,
    ssh_keys: [formatAuthorizedKey(sshPublicKey(ssh.publicKey))],
    tls_certificates: tls.map((key) => caCertificate(clusterName, key, now, random)),
  };
  const pem = (key: KeyObject): string => key.export({ type: "pkcs8", format: "pem" }).toString();
  const secret: StoredKeys = { ssh_keys: [pem(ssh.privateKey)], tls_keys: tls.map(pem) };
  return { value: JSON.stringify(value), secret: JSON.stringify(secret) };
}

function privateKeyOf(pem: string | undefined): KeyObject {
  if (pem === undefined) throw new GatehouseError("internal", "its signing key is missing");
  return createPrivateKey(pem);
}

/** A stored authority, its keys checked against its certificates. Throws `internal` for one that cannot sign. */
export function loadAuthority(kind: AuthorityKind, record: { readonly value: string; readonly secret?: string | undefined }): Authority {
  try {
    return readAuthority(kind, record.value, record.secret ?? "");
  } catch (error) {
    // The cause may quote what was stored, keys included, so only our own errors go on.
    const cause = error instanceof GatehouseError ? error : undefined;
    throw new GatehouseError("internal", `the stored authority "${kind}" cannot be used: ${cause?.message ?? "it is damaged"}`, {
      cause,
      hint: "restore the data directory and its key file from the same backup",
    });
  }
}

function readAuthority(kind: AuthorityKind, value: string, secret: string): Authority {
  const stored = storedAuthority.parse(JSON.parse(value));
  const keys = storedKeys.parse(JSON.parse(secret));
  if (stored.kind !== kind) throw new GatehouseError("internal", "it is stored under another name");
  const sshBlobs = stored.ssh_keys.map((line) => parseAuthorizedKey(line).blob);
  const sshKey = privateKeyOf(keys.ssh_keys[0]);
  if (sshBlobs[0]?.equals(sshPublicKey(sshKey)) !== true) throw new GatehouseError("internal", "its SSH keys do not belong together");
  const tlsVerifiers = stored.tls_certificates.map((pem) => {
    const certificate = parseCertificate(pem);
    return { certificate, publicKey: certificatePublicKey(certificate) };
  });
  const [first] = tlsVerifiers;
  if ((first === undefined) !== (kind === "openssh")) throw new GatehouseError("internal", "its X.509 certificate is missing or one too many");
  let tls: TlsSigner | undefined;
  if (first) {
    const privateKey = privateKeyOf(keys.tls_keys[0]);
    if (!createPublicKey(privateKey).equals(first.publicKey)) throw new GatehouseError("internal", "its X.509 key and certificate do not belong together");
    tls = { privateKey, certificate: first.certificate };
  }
  const trust: TrustBundle = Object.freeze({
    kind,
    clusterName: stored.cluster_name,
    sshKeys: Object.freeze(stored.ssh_keys),
    tlsCertificates: Object.freeze(stored.tls_certificates),
  });
  return { trust, sshKey, tls, tlsVerifiers };
}
