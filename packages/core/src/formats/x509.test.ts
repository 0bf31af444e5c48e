import { X509Certificate, createHash, createPublicKey, generateKeyPairSync, sign, type KeyObject } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { GatehouseError } from "../base/index.ts";
import { derInteger, derNamedBits, derOid, derSequence, derTime } from "./der-write.ts";
import {
  DerReader,
  buildCertificate,
  certificateDer,
  certificatePublicKey,
  der,
  derTag,
  encodeCertificatePem,
  parseCertificate,
  spkiPin,
  verifyCertificateSignature,
  type Certificate,
  type CertificateContent,
  type DistinguishedName,
} from "./index.ts";

const signers: Readonly<Record<string, KeyObject>> = {
  ecdsa: generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey,
  ed25519: generateKeyPairSync("ed25519").privateKey,
  rsa: generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey,
};
const subjectKey = generateKeyPairSync("ec", { namedCurve: "P-256" }).publicKey;
const notBefore = Date.UTC(2026, 0, 1);
const day = 86_400_000;

function makeCa(privateKey: KeyObject): Certificate {
  return parseCertificate(
    buildCertificate(
      { serial: 1n, subject: { O: ["c"], CN: ["c"], serialNumber: ["1"] }, notBefore, notAfter: notBefore + 3650 * day, publicKey: createPublicKey(privateKey), ca: { pathLength: 0 }, keyUsage: ["digitalSignature", "keyCertSign"] },
      { privateKey },
    ),
  );
}
const leaf: CertificateContent = {
  serial: 77n,
  subject: { O: ["access", "auditor"], L: ["ana", "deploy"], postalCode: ['{"logins":["ana"]}'], CN: ["ana"] },
  notBefore,
  notAfter: notBefore + day,
  publicKey: subjectKey,
  keyUsage: ["digitalSignature"],
  extendedKeyUsage: ["clientAuth"],
  dnsNames: ["a.example", "*.b.example"],
  ipAddresses: ["127.0.0.1", "::1"],
  extensions: [{ oid: "1.3.9999.1", critical: false, value: der(derTag.utf8String, Buffer.from("{}")) }],
};
const issue = (privateKey: KeyObject, changes: Partial<CertificateContent> = {}): string => buildCertificate({ ...leaf, ...changes }, { privateKey, certificate: makeCa(privateKey) });

describe("DER", () => {
  it("reads the numbers, identifiers, bit lists and times that it writes", () => {
    const arc = fc.bigInt(0n, 2n ** 128n);
    const oid = fc.tuple(fc.constantFrom("0.39", "1.2", "2.5", "2.999"), fc.array(arc, { maxLength: 2 })).map(([head, rest]) => [head, ...rest].join("."));
    const bits = fc.uniqueArray(fc.nat(15), { maxLength: 9 }).map((list) => list.sort((a, b) => a - b));
    const seconds = fc.integer({ min: -631_152_000, max: 253_402_300_799 });
    fc.assert(fc.property(fc.bigInt(0n, 2n ** 160n), oid, bits, seconds, (number, identifier, positions, second) => {
      const reader = new DerReader(Buffer.concat([derInteger(number), derOid(identifier), derNamedBits(positions), derTime(second * 1000)]), "test");
      expect([reader.integer(), reader.oid(), reader.namedBits(), reader.time()]).toEqual([number, identifier, positions, second * 1000]);
      reader.end();
    }));
  });

  it.each<[string, string, (reader: DerReader) => unknown]>([
    ["an indefinite length", "3080", (reader) => reader.element()],
    ["a length in a longer form", "04810101", (reader) => reader.element()],
    ["a length in a much longer form", "0482000101", (reader) => reader.element()],
    ["a length of three octets", "0483010000", (reader) => reader.element()],
    ["a length past the end", "040201", (reader) => reader.element()],
    ["a tag of several octets", "1f8101", (reader) => reader.element()],
    ["a negative number", "0201ff", (reader) => reader.integer()],
    ["a number in a longer form", "02020001", (reader) => reader.integer()],
    ["an empty number", "0200", (reader) => reader.integer()],
    ["a boolean of 1", "010101", (reader) => reader.boolean()],
    ["an identifier in a longer form", "06032a8001", (reader) => reader.oid()],
    ["an identifier cut short", "06022a80", (reader) => reader.oid()],
    ["a bit string with unused bits", "03020180", (reader) => reader.octetBits()],
    ["a bit list with trailing zeros", "03020080", (reader) => reader.namedBits()],
    ["a bit list with a set unused bit", "03020581", (reader) => reader.namedBits()],
    ["a printable string with an @", "130140", (reader) => reader.text()],
    ["UTF-8 that is none", "0c01ff", (reader) => reader.text()],
    ["the thirtieth of February", der(derTag.utcTime, Buffer.from("260230000000Z")).toString("hex"), (reader) => reader.time()],
    ["a time with a zone", der(derTag.utcTime, Buffer.from("2602010000+0100")).toString("hex"), (reader) => reader.time()],
    ["a time without seconds", der(derTag.utcTime, Buffer.from("2602010000Z")).toString("hex"), (reader) => reader.time()],
    ["a long time before 2050", der(derTag.generalizedTime, Buffer.from("20260201000000Z")).toString("hex"), (reader) => reader.time()],
  ])("refuses %s", (_, hex, read) => {
    expect(() => read(new DerReader(Buffer.from(hex, "hex"), "test"))).toThrow(GatehouseError);
  });

  it("stops at twelve levels", () => {
    const deep = Array.from({ length: 20 }).reduce<Buffer>((inner) => derSequence(inner), derSequence());
    expect(() => {
      for (let reader = new DerReader(deep, "test"); ; ) reader = reader.enter(derTag.sequence);
    }).toThrow(/nested too deeply/);
  });
});

describe("X.509 certificates", () => {
  const text = fc.string({ unit: "grapheme", minLength: 1, maxLength: 30 }).filter((value) => !value.includes("\0"));
  const values = fc.array(text, { minLength: 1, maxLength: 4 });
  const name = fc.record({ C: values, O: values, OU: values, L: values, ST: values, street: values, postalCode: values, CN: values, serialNumber: values }, { requiredKeys: [] });
  const sorted = (value: DistinguishedName): Record<string, string[]> => Object.fromEntries(Object.entries(value).map(([key, list]) => [key, [...list].sort()]));

  it("decode to what was encoded, whoever signs", () => {
    const content = fc.record({
      serial: fc.bigInt(1n, 2n ** 159n - 1n),
      subject: name,
      notBefore: fc.constant(notBefore),
      notAfter: fc.integer({ min: 1, max: 1_000_000_000 }).map((seconds) => notBefore + seconds * 1000),
      keyUsage: fc.subarray(["digitalSignature", "keyEncipherment", "keyCertSign", "cRLSign", "decipherOnly"] as const),
      dnsNames: fc.subarray(["a.example", "*.b.example", "localhost", "x_y.example"]),
      ipAddresses: fc.uniqueArray(fc.oneof(fc.ipV4(), fc.uint8Array({ minLength: 16, maxLength: 16 }).map((bytes) => new URL(`http://[${Buffer.from(bytes).toString("hex").match(/.{4}/g)!.join(":")}]`).hostname.slice(1, -1)))),
      extendedKeyUsage: fc.subarray(["serverAuth", "clientAuth"] as const),
      ca: fc.option(fc.record({ pathLength: fc.option(fc.nat(255), { nil: undefined }) }), { nil: undefined }),
    });
    fc.assert(fc.property(content, fc.constantFrom(...Object.values(signers)), (given, privateKey) => {
      const issuer = makeCa(privateKey);
      const parsed = parseCertificate(buildCertificate({ ...given, publicKey: subjectKey }, { privateKey, certificate: issuer }));
      expect(parsed).toMatchObject({ serial: given.serial, notBefore, notAfter: given.notAfter, dnsNames: given.dnsNames, ca: given.ca !== undefined, pathLength: given.ca?.pathLength, issuer: issuer.subject });
      expect(parsed.keyUsage).toEqual(given.keyUsage);
      expect(parsed.extendedKeyUsage ?? []).toEqual(given.extendedKeyUsage);
      expect(parsed.ipAddresses.map((ip) => (ip.includes(":") ? new URL(`http://[${ip}]`).hostname.slice(1, -1) : ip))).toEqual(given.ipAddresses);
      expect(sorted(parsed.subject)).toEqual(sorted(given.subject));
      expect(parsed.authorityKeyId?.equals(issuer.subjectKeyId!)).toBe(true);
      expect(certificatePublicKey(parsed).equals(subjectKey)).toBe(true);
      expect(verifyCertificateSignature(parsed, createPublicKey(privateKey))).toBe(true);
    }), { numRuns: 80 });
  });

  it.each(Object.entries(signers))("signed with %s: Node agrees, and any changed byte fails to decode or to verify", (_, privateKey) => {
    const publicKey = createPublicKey(privateKey);
    const bytes = certificateDer(issue(privateKey));
    expect(new X509Certificate(bytes).verify(publicKey)).toBe(true);
    expect(new X509Certificate(bytes).subjectAltName).toBe("DNS:a.example, DNS:*.b.example, IP Address:127.0.0.1, IP Address:0:0:0:0:0:0:0:1");
    const sound = (candidate: Buffer): boolean => {
      try {
        return verifyCertificateSignature(parseCertificate(candidate), publicKey);
      } catch (error) {
        expect(error).toBeInstanceOf(GatehouseError);
        return false;
      }
    };
    expect(sound(bytes)).toBe(true);
    for (let at = 0; at < bytes.length; at++) {
      for (const mask of [1, 0x80, 0xff]) {
        const changed = Buffer.from(bytes);
        changed[at]! ^= mask;
        expect(sound(changed)).toBe(false);
      }
    }
    for (let end = 0; end < bytes.length; end += 7) expect(sound(bytes.subarray(0, end))).toBe(false);
    expect(sound(Buffer.concat([bytes, Buffer.alloc(1)]))).toBe(false);
  });

  it("are not believed under a key of another kind or of another signer", () => {
    const certificate = parseCertificate(issue(signers["ecdsa"]!));
    expect(verifyCertificateSignature(certificate, subjectKey)).toBe(false);
    expect(verifyCertificateSignature(certificate, createPublicKey(signers["rsa"]!))).toBe(false);
    expect(verifyCertificateSignature(certificate, createPublicKey(signers["ed25519"]!))).toBe(false);
  });

  it("write one relative name a type of attribute, in v3's order, and read one a value too", () => {
    const certificate = parseCertificate(issue(signers["ecdsa"]!));
    const reader = new DerReader(certificate.subjectDer, "name").enter(derTag.sequence);
    const sets: [string, number][] = [];
    while (!reader.done) {
      const set = reader.enter(derTag.set);
      let count = 0;
      let oid = "";
      for (; !set.done; count++) oid = set.enter(derTag.sequence).oid();
      sets.push([oid, count]);
    }
    expect(sets).toEqual([["2.5.4.10", 2], ["2.5.4.7", 2], ["2.5.4.17", 1], ["2.5.4.3", 1]]);
    const single = (oid: string, value: string): Buffer => der(derTag.set, derSequence(derOid(oid), der(derTag.utf8String, Buffer.from(value))));
    const spread = derSequence(single("2.5.4.10", "access"), single("2.5.4.10", "auditor"), single("2.5.4.3", "ana"), single("0.9.2342.19200300.100.1.25", "x"));
    expect(parseCertificate(rebuild(certificate, { subject: spread })).subject).toEqual({ O: ["access", "auditor"], CN: ["ana"] });
  });

  /** The certificate with some of its fields replaced, signed again. */
  function rebuild(certificate: Certificate, parts: { subject?: Buffer; serial?: Buffer; version?: Buffer; extensions?: Buffer; outer?: Buffer }): Buffer {
    const algorithm = derSequence(derOid("1.2.840.10045.4.3.2"));
    const validity = derSequence(derTime(certificate.notBefore), derTime(certificate.notAfter));
    const tbs = derSequence(
      parts.version ?? der(0xa0, derInteger(2n)),
      parts.serial ?? derInteger(certificate.serial),
      algorithm,
      certificate.issuerDer,
      validity,
      parts.subject ?? certificate.subjectDer,
      certificate.spki,
      ...(parts.extensions ? [der(0xa3, parts.extensions)] : [new DerReader(certificate.tbs, "t").enter(derTag.sequence)].map((reader) => {
        for (let field = 0; field < 7; field++) reader.element();
        return reader.element().raw;
      })),
    );
    return derSequence(tbs, parts.outer ?? algorithm, der(derTag.bitString, Buffer.alloc(1), sign("sha256", tbs, signers["ecdsa"]!)));
  }
  const extension = (oid: string, ...rest: Buffer[]): Buffer => derSequence(derOid(oid), ...rest);
  const octets = (...content: Buffer[]): Buffer => der(derTag.octetString, ...content);
  const falseBit = Buffer.of(1, 1, 0);

  it.each<[string, Parameters<typeof rebuild>[1], string]>([
    ["version 1", { version: der(0xa0, derInteger(0n)) }, "not of version 3"],
    ["a serial of zero", { serial: derInteger(0n) }, "serial out of range"],
    ["a serial of 21 octets", { serial: derInteger(2n ** 160n) }, "serial out of range"],
    ["a negative serial", { serial: Buffer.of(2, 1, 0x80) }, "negative"],
    ["another outer algorithm", { outer: derSequence(derOid("1.3.101.112")) }, "two different"],
    ["an extension twice", { extensions: derSequence(extension("1.2.3", octets()), extension("1.2.3", octets())) }, "given twice"],
    ["a written-out default", { extensions: derSequence(extension("1.2.3", falseBit, octets())) }, "default value"],
    ["a CA flag written out as false", { extensions: derSequence(extension("2.5.29.19", octets(derSequence(falseBit)))) }, "default value"],
    ["a path length on no CA", { extensions: derSequence(extension("2.5.29.19", octets(derSequence(derInteger(0n))))) }, "after its end"],
    ["bytes behind an extension's value", { extensions: derSequence(extension("2.5.29.14", octets(octets(), Buffer.alloc(1)))) }, "after its end"],
    ["no extensions in their list", { extensions: derSequence() }, "nothing found"],
    ["too many extensions", { extensions: derSequence(...Array.from({ length: 65 }, (_, index) => extension(`1.2.${index}`, octets()))) }, "more than 64"],
    ["an IP address of five octets", { extensions: derSequence(extension("2.5.29.17", octets(derSequence(der(0x87, Buffer.alloc(5)))))) }, "IP address"],
    ["a DNS name with NUL", { extensions: derSequence(extension("2.5.29.17", octets(derSequence(der(0x82, Buffer.from("a\0b")))))) }, "DNS name"],
    ["an empty relative name", { subject: derSequence(der(derTag.set)) }, "found"],
  ])("with %s are refused, though properly signed", (_, parts, problem) => {
    expect(() => parseCertificate(rebuild(parseCertificate(issue(signers["ecdsa"]!)), parts))).toThrow(new RegExp(problem));
  });

  it("keep what they do not know, with its criticality", () => {
    const bytes = rebuild(parseCertificate(issue(signers["ecdsa"]!)), { extensions: derSequence(extension("1.2.3", Buffer.of(1, 1, 0xff), octets(derInteger(5n)))) });
    expect(parseCertificate(bytes)).toMatchObject({ others: [{ oid: "1.2.3", critical: true }], ca: false, extendedKeyUsage: undefined, keyUsage: undefined });
  });

  it("are not built with what cannot be right", () => {
    const key = signers["ecdsa"]!;
    expect(() => issue(key, { serial: 0n })).toThrow(/serial/);
    expect(() => issue(key, { notAfter: notBefore })).toThrow(/ends before/);
    expect(() => issue(key, { dnsNames: ["a b"] })).toThrow(/not a DNS name/);
    expect(() => issue(key, { ipAddresses: ["fe80::1%eth0"] })).toThrow(/not an IP address/);
    expect(() => issue(key, { subject: { CN: [""] } })).toThrow(/empty CN/);
    expect(() => issue(key, { subject: { CN: ["a\0b"] } })).toThrow(/NUL/);
    expect(() => issue(key, { subject: { postalCode: ["x".repeat(70_000)] } })).toThrow(/64 KiB/);
    expect(() => issue(key, { extensions: [...leaf.extensions!, ...leaf.extensions!] })).toThrow(/given twice/);
    expect(() => issue(key, { notBefore: Number.NaN })).toThrow(GatehouseError);
  });

  it("random bytes and random edits only ever make a GatehouseError", () => {
    const bytes = certificateDer(issue(signers["ecdsa"]!));
    const harmless = (input: Uint8Array | string): void => {
      for (const read of [parseCertificate, spkiPin]) {
        try {
          read(input);
        } catch (error) {
          expect(error).toBeInstanceOf(GatehouseError);
        }
      }
    };
    fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), harmless));
    fc.assert(fc.property(fc.string(), harmless));
    fc.assert(fc.property(fc.nat(bytes.length - 9), fc.uint8Array({ minLength: 1, maxLength: 8 }), (at, edit) => {
      const changed = Buffer.from(bytes);
      changed.set(edit, at);
      harmless(changed);
    }), { numRuns: 1000 });
  });
});

describe("PEM and pins", () => {
  const pem = issue(signers["ecdsa"]!);
  it("a pin is the SHA-256 of the key's SubjectPublicKeyInfo, from PEM and DER alike", () => {
    const expected = `sha256:${createHash("sha256").update(subjectKey.export({ type: "spki", format: "der" })).digest("hex")}`;
    expect([spkiPin(pem), spkiPin(Buffer.from(pem)), spkiPin(certificateDer(pem))]).toEqual([expected, expected, expected]);
  });

  it("round trip, Windows line ends included", () => {
    expect(encodeCertificatePem(certificateDer(pem.replaceAll("\n", "\r\n")))).toBe(pem);
  });

  it.each([
    ["two certificates", pem + pem],
    ["text before it", `hello\n${pem}`],
    ["another kind of block", pem.replaceAll("CERTIFICATE", "PRIVATE KEY")],
    ["bad base64", pem.replace("M", "!")],
    ["nothing", ""],
    ["something huge", `-----BEGIN CERTIFICATE-----\n${"AAAA".repeat(40_000)}\n-----END CERTIFICATE-----\n`],
  ])("refuses %s", (_, text) => {
    expect(() => parseCertificate(text)).toThrow(GatehouseError);
  });
});
