import { GatehouseError } from "../base/index.ts";
import { derTag, type DerReader } from "./der.ts";
import { der, derBoolean, derInteger, derNamedBits, derOid, derSequence } from "./der-write.ts";
import { decodeIpAddress, encodeIpAddress } from "./x509-names.ts";

/** Bits of keyUsage in their order (RFC 5280 §4.2.1.3). */
const keyUsages = ["digitalSignature", "nonRepudiation", "keyEncipherment", "dataEncipherment", "keyAgreement", "keyCertSign", "cRLSign", "encipherOnly", "decipherOnly"] as const;
const extendedKeyUsages = { serverAuth: "1.3.6.1.5.5.7.3.1", clientAuth: "1.3.6.1.5.5.7.3.2" } as const;
const maxExtensions = 64;
const maxNames = 1024;

/** Object identifiers of the extensions that are understood. */
const oids = {
  subjectKeyId: "2.5.29.14",
  keyUsage: "2.5.29.15",
  subjectAltName: "2.5.29.17",
  basicConstraints: "2.5.29.19",
  authorityKeyId: "2.5.29.35",
  extendedKeyUsage: "2.5.29.37",
} as const;
const known: ReadonlySet<string> = new Set(Object.values(oids));

export type KeyUsage = (typeof keyUsages)[number];
export type ExtendedKeyUsage = keyof typeof extendedKeyUsages;

/** Any extension: `value` is the DER inside its OCTET STRING. */
export interface CertificateExtension {
  readonly oid: string;
  readonly critical: boolean;
  readonly value: Uint8Array;
}

/** What the extensions of a certificate say. */
export interface CertificateExtensions {
  /** CA:TRUE. */
  readonly ca: boolean;
  readonly pathLength: number | undefined;
  /** Undefined where the extension is absent: no restriction. */
  readonly keyUsage: readonly KeyUsage[] | undefined;
  /** Names of the two that we use, object identifiers of others; undefined where the extension is absent. */
  readonly extendedKeyUsage: readonly string[] | undefined;
  readonly dnsNames: readonly string[];
  readonly ipAddresses: readonly string[];
  readonly subjectKeyId: Buffer | undefined;
  readonly authorityKeyId: Buffer | undefined;
  /** All extensions that are none of the above. */
  readonly others: readonly CertificateExtension[];
}

/** What is written into a certificate's extensions. */
export interface ExtensionContent {
  /** Given for a CA; a CA without `pathLength` may sign CAs to any depth. */
  readonly ca?: { readonly pathLength?: number | undefined } | undefined;
  readonly keyUsage: readonly KeyUsage[];
  readonly extendedKeyUsage?: readonly ExtendedKeyUsage[] | undefined;
  readonly dnsNames?: readonly string[] | undefined;
  readonly ipAddresses?: readonly string[] | undefined;
  readonly subjectKeyId: Uint8Array;
  readonly authorityKeyId: Uint8Array;
  readonly others?: readonly CertificateExtension[] | undefined;
}

function encodeExtension(extension: CertificateExtension): Buffer {
  const critical = extension.critical ? [derBoolean(true)] : [];
  return derSequence(derOid(extension.oid), ...critical, der(derTag.octetString, extension.value));
}

function encodeDnsName(name: string): Buffer {
  if (!/^(?:\*\.)?[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_])?$/.test(name) || name.length > 253) {
    throw new GatehouseError("bad_parameter", `${JSON.stringify(name)} is not a DNS name`);
  }
  return der(0x82, Buffer.from(name, "latin1"));
}

/** DER of `Extensions` (RFC 5280 §4.2). */
export function encodeExtensions(content: ExtensionContent): Buffer {
  const names = [...(content.dnsNames ?? []).map(encodeDnsName), ...(content.ipAddresses ?? []).map((ip) => der(0x87, encodeIpAddress(ip)))];
  const pathLength = content.ca?.pathLength;
  const usages = content.extendedKeyUsage ?? [];
  const list: CertificateExtension[] = [
    { oid: oids.keyUsage, critical: true, value: derNamedBits(content.keyUsage.map((usage) => keyUsages.indexOf(usage))) },
    ...(usages.length === 0 ? [] : [{ oid: oids.extendedKeyUsage, critical: false, value: derSequence(...usages.map((usage) => derOid(extendedKeyUsages[usage]))) }]),
    {
      oid: oids.basicConstraints,
      critical: true,
      value: content.ca ? derSequence(derBoolean(true), ...(pathLength === undefined ? [] : [derInteger(BigInt(pathLength))])) : derSequence(),
    },
    { oid: oids.subjectKeyId, critical: false, value: der(derTag.octetString, content.subjectKeyId) },
    { oid: oids.authorityKeyId, critical: false, value: derSequence(der(0x80, content.authorityKeyId)) },
    ...(names.length === 0 ? [] : [{ oid: oids.subjectAltName, critical: false, value: derSequence(...names) }]),
    ...(content.others ?? []),
  ];
  if (new Set(list.map(({ oid }) => oid)).size !== list.length) throw new GatehouseError("bad_parameter", "a certificate's extension is given twice");
  return derSequence(...list.map(encodeExtension));
}

function readList(reader: DerReader): readonly CertificateExtension[] {
  const list: CertificateExtension[] = [];
  const seen = new Set<string>();
  const sequence = reader.enter(derTag.sequence);
  do {
    const item = sequence.enter(derTag.sequence);
    const oid = item.oid();
    const critical = item.peek() === derTag.boolean ? item.boolean() : undefined;
    const value = item.read(derTag.octetString);
    item.end();
    if (critical === false) throw reader.error("a default value that is written out");
    if (seen.has(oid)) throw reader.error("an extension given twice");
    if (seen.size === maxExtensions) throw reader.error(`more than ${maxExtensions} extensions`);
    seen.add(oid);
    list.push({ oid, critical: critical === true, value });
  } while (!sequence.done);
  reader.end();
  return list;
}

function readBasicConstraints(reader: DerReader): { readonly ca: boolean; readonly pathLength: number | undefined } {
  const sequence = reader.enter(derTag.sequence);
  const ca = sequence.peek() === derTag.boolean;
  if (ca && !sequence.boolean()) throw reader.error("a default value that is written out");
  if (!ca) {
    sequence.end();
    return { ca, pathLength: undefined };
  }
  const pathLength = sequence.done ? undefined : sequence.integer();
  sequence.end();
  if (pathLength !== undefined && pathLength > 255n) throw reader.error("a path length that is too large");
  return { ca, pathLength: pathLength === undefined ? undefined : Number(pathLength) };
}

function readExtendedKeyUsage(reader: DerReader): readonly string[] {
  const sequence = reader.enter(derTag.sequence);
  const usages: string[] = [];
  do {
    const oid = sequence.oid();
    usages.push(Object.entries(extendedKeyUsages).find(([, each]) => each === oid)?.[0] ?? oid);
    if (usages.length > maxExtensions) throw reader.error("too many extended key usages");
  } while (!sequence.done);
  return usages;
}

function readAltNames(reader: DerReader): { readonly dnsNames: readonly string[]; readonly ipAddresses: readonly string[] } {
  const dnsNames: string[] = [];
  const ipAddresses: string[] = [];
  const sequence = reader.enter(derTag.sequence);
  for (let count = 1; !sequence.done; count++) {
    if (count > maxNames) throw reader.error(`more than ${maxNames} alternative names`);
    const { tag, content } = sequence.element();
    if (tag === 0x82) {
      const name = content.toString("latin1");
      if (!/^[\x21-\x7e]+$/.test(name)) throw reader.error("a DNS name that is none");
      dnsNames.push(name);
    } else if (tag === 0x87) {
      const address = decodeIpAddress(content);
      if (address === undefined) throw reader.error("an IP address that is none");
      ipAddresses.push(address);
    }
  }
  return { dnsNames, ipAddresses };
}

function readAuthorityKeyId(reader: DerReader): Buffer | undefined {
  const sequence = reader.enter(derTag.sequence);
  const keyId = sequence.peek() === 0x80 ? sequence.element().content : undefined;
  while (!sequence.done) sequence.element();
  return keyId;
}

/** Reads `Extensions`, with nothing after it. */
export function readExtensions(reader: DerReader): CertificateExtensions {
  const list = readList(reader);
  const read = <T>(oid: string, parse: (inner: DerReader) => T): T | undefined => {
    const extension = list.find((each) => each.oid === oid);
    if (!extension) return undefined;
    const inner = reader.inside(Buffer.from(extension.value));
    const value = parse(inner);
    inner.end();
    return value;
  };
  const bits = read(oids.keyUsage, (inner) => inner.namedBits());
  const constraints = read(oids.basicConstraints, readBasicConstraints);
  const names = read(oids.subjectAltName, readAltNames);
  return {
    ca: constraints?.ca ?? false,
    pathLength: constraints?.pathLength,
    keyUsage: bits && keyUsages.filter((_, index) => bits.includes(index)),
    extendedKeyUsage: read(oids.extendedKeyUsage, readExtendedKeyUsage),
    dnsNames: names?.dnsNames ?? [],
    ipAddresses: names?.ipAddresses ?? [],
    subjectKeyId: read(oids.subjectKeyId, (inner) => inner.read(derTag.octetString)),
    authorityKeyId: read(oids.authorityKeyId, readAuthorityKeyId),
    others: list.filter(({ oid }) => !known.has(oid)),
  };
}
