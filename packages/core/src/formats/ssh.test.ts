import { createPublicKey, generateKeyPairSync, type KeyObject } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { GatehouseError, systemRandom } from "../base/index.ts";
import {
  SshReader,
  SshWriter,
  formatAuthorizedKey,
  parseAuthorizedKey,
  parseSshCertificate,
  publicKeyFromSsh,
  signSshCertificate,
  sshForever,
  sshPublicKey,
  sshSign,
  sshVerify,
  verifySshCertificate,
  type SshCertificate,
  type SshCertificateCheck,
  type SshCertificateFields,
} from "./index.ts";

const keys: Readonly<Record<string, KeyObject>> = {
  "ssh-ed25519": generateKeyPairSync("ed25519").privateKey,
  "ecdsa-sha2-nistp256": generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey,
  "ecdsa-sha2-nistp384": generateKeyPairSync("ec", { namedCurve: "P-384" }).privateKey,
  "ecdsa-sha2-nistp521": generateKeyPairSync("ec", { namedCurve: "P-521" }).privateKey,
  "ssh-rsa": generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey,
};
const ed25519 = keys["ssh-ed25519"]!;
const now = 1_700_000_000_000;

const fields: SshCertificateFields = {
  type: "user",
  publicKey: sshPublicKey(keys["ecdsa-sha2-nistp256"]!),
  serial: 7n,
  keyId: "ana",
  principals: ["ana", "deploy"],
  validAfter: BigInt(now / 1000 - 60),
  validBefore: BigInt(now / 1000 + 3600),
  criticalOptions: new Map(),
  extensions: new Map([["permit-pty", ""]]),
};
const check: SshCertificateCheck = { caKeys: [sshPublicKey(ed25519)], now, type: "user" };

function issue(changes: Partial<SshCertificateFields> = {}, authority = ed25519): SshCertificate {
  return parseSshCertificate(signSshCertificate({ ...fields, ...changes }, authority, systemRandom));
}

/** A certificate whose signed part was written by hand, signed properly. */
function forge(edit: (writer: SshWriter) => SshWriter, authorityBlob = sshPublicKey(ed25519)): Buffer {
  const subject = new SshReader(fields.publicKey, "key");
  const writer = new SshWriter().string(`${subject.text()}-cert-v01@openssh.com`).string(Buffer.alloc(32)).raw(subject.bytes(subject.remaining));
  const signed = edit(writer).string(authorityBlob).toBuffer();
  return new SshWriter().raw(signed).string(sshSign(ed25519, signed)).toBuffer();
}

interface Tail {
  readonly type?: number;
  readonly principals?: Buffer;
  readonly critical?: Buffer;
  readonly extensions?: Buffer;
  readonly reserved?: string;
}
const options = (...pairs: readonly (readonly [string, Buffer])[]): Buffer => pairs.reduce((writer, [name, data]) => writer.string(name).string(data), new SshWriter()).toBuffer();
const tail = ({ type = 1, principals = new SshWriter().string("ana").toBuffer(), critical = Buffer.alloc(0), extensions = Buffer.alloc(0), reserved = "" }: Tail) => (writer: SshWriter) =>
  writer.uint64(0n).uint32(type).string("ana").string(principals).uint64(0n).uint64(sshForever).string(critical).string(extensions).string(reserved);

describe("SSH keys", () => {
  it.each(Object.entries(keys))("%s: wire form, line and key object say the same", (type, key) => {
    const blob = sshPublicKey(key);
    expect(publicKeyFromSsh(blob).equals(createPublicKey(key))).toBe(true);
    expect(parseAuthorizedKey(formatAuthorizedKey(blob, "ana@laptop one"))).toEqual({ type, blob, comment: "ana@laptop one" });
  });

  it.each([
    ["no key at all", "hello", "not one line"],
    ["an option", `no-pty ${formatAuthorizedKey(fields.publicKey as Buffer)}`, "base64|not one line"],
    ["two lines", `${formatAuthorizedKey(fields.publicKey as Buffer)}\n${formatAuthorizedKey(fields.publicKey as Buffer)}\n`, "not one line"],
    ["another type than the blob's", formatAuthorizedKey(fields.publicKey as Buffer).replace("ecdsa-sha2-nistp256", "ssh-ed25519"), "another type"],
    ["DSA", "ssh-dss AAAAB3NzaC1kc3M=", "not supported"],
    ["unpadded base64", "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA", "base64"],
    ["too long a line", `ssh-ed25519 ${"A".repeat(20_000)}`, "longer than"],
    ["a certificate", signSshCertificate(fields, ed25519, systemRandom), "not supported"],
  ])("refuses %s", (_, line, problem) => {
    expect(() => parseAuthorizedKey(line)).toThrow(new RegExp(problem));
  });

  it("refuses a short RSA key, a point that is not on its curve, and numbers in a longer form", () => {
    const short = generateKeyPairSync("rsa", { modulusLength: 1024 }).publicKey;
    expect(() => sshPublicKey(short)).toThrow(/1024 bits/);
    const point = Buffer.concat([Buffer.of(4), Buffer.alloc(64, 1)]);
    expect(() => publicKeyFromSsh(new SshWriter().string("ecdsa-sha2-nistp256").string("nistp256").string(point).toBuffer())).toThrow(/not a valid key/);
    const modulus = Buffer.concat([Buffer.alloc(2), Buffer.alloc(256, 0xff)]);
    expect(() => publicKeyFromSsh(new SshWriter().string("ssh-rsa").mpint(Buffer.of(1, 0, 1)).string(modulus).toBuffer())).toThrow(/shortest form/);
    expect(() => publicKeyFromSsh(Buffer.concat([sshPublicKey(ed25519), Buffer.alloc(1)]))).toThrow(/after its end/);
  });

  it("reads what it writes, for every number", () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 80 }), fc.bigInt(0n, 2n ** 64n - 1n), fc.string({ unit: "grapheme" }).filter((text) => !text.includes("\0")), (bytes, number, text) => {
      const reader = new SshReader(new SshWriter().mpint(bytes).uint64(number).string(text).toBuffer(), "test");
      const start = bytes.findIndex((byte) => byte !== 0);
      expect(Buffer.from(reader.mpint()).equals(start === -1 ? Buffer.alloc(0) : bytes.subarray(start))).toBe(true);
      expect(reader.uint64()).toBe(number);
      expect(reader.text()).toBe(text);
      reader.end();
    }));
  });
});

describe("SSH certificates", () => {
  const name = fc.string({ unit: "grapheme", minLength: 1, maxLength: 20 }).filter((text) => !text.includes("\0"));
  const map = fc.dictionary(name, fc.string({ unit: "grapheme", maxLength: 30 }).filter((text) => !text.includes("\0")), { maxKeys: 6 }).map((record) => new Map(Object.entries(record)));

  it("decode to what was encoded, for every kind of key", () => {
    const certificate = fc.record({
      type: fc.constantFrom("user" as const, "host" as const),
      publicKey: fc.constantFrom(...Object.values(keys).map(sshPublicKey)),
      serial: fc.bigInt(0n, 2n ** 64n - 1n),
      keyId: fc.oneof(fc.constant(""), name),
      principals: fc.uniqueArray(name, { minLength: 1, maxLength: 5 }),
      validAfter: fc.bigInt(0n, 2n ** 32n),
      validBefore: fc.bigInt(2n ** 32n + 1n, 2n ** 64n - 1n),
      criticalOptions: map,
      extensions: map,
    });
    fc.assert(fc.property(certificate, fc.constantFrom(...Object.values(keys)), (content, authority) => {
      const parsed = parseSshCertificate(signSshCertificate(content, authority, systemRandom));
      expect(parsed).toMatchObject({ ...content, signatureKey: sshPublicKey(authority) });
      expect(sshVerify(parsed.signatureKey, parsed.signed, parsed.signature)).toBe(true);
    }), { numRuns: 60 });
  });

  it("fail to decode or to verify when any one byte is changed", () => {
    for (const authority of Object.values(keys)) {
      const { blob } = issue({ criticalOptions: new Map([["source-address", "10.0.0.0/8"]]) }, authority);
      const flips = fc.record({ at: fc.nat(blob.length - 1), mask: fc.integer({ min: 1, max: 255 }) });
      const trusted = { ...check, caKeys: [sshPublicKey(authority)], sourceAddress: "10.1.1.1" };
      verifySshCertificate(parseSshCertificate(blob), trusted);
      fc.assert(fc.property(flips, ({ at, mask }) => {
        const changed = Buffer.from(blob);
        changed[at]! ^= mask;
        expect(() => verifySshCertificate(parseSshCertificate(changed), trusted)).toThrow(GatehouseError);
      }), { numRuns: 150 });
      for (let at = 0; at < blob.length; at++) {
        const changed = Buffer.from(blob);
        changed[at]! ^= 1;
        expect(() => verifySshCertificate(parseSshCertificate(changed), trusted)).toThrow(GatehouseError);
      }
    }
  });

  it("cut short or continued anywhere do not decode, and random bytes only ever make a GatehouseError", () => {
    const { blob } = issue();
    for (let end = 0; end < blob.length; end++) expect(() => parseSshCertificate(blob.subarray(0, end))).toThrow(GatehouseError);
    expect(() => parseSshCertificate(Buffer.concat([blob, Buffer.alloc(1)]))).toThrow(/after its end/);
    fc.assert(fc.property(fc.oneof(fc.uint8Array({ maxLength: 300 }), fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.concat([blob.subarray(0, 150), bytes])), fc.string()), (input) => {
      expect(() => parseSshCertificate(input)).toThrow(GatehouseError);
    }));
  });

  const flag = Buffer.alloc(0);
  const packed = (text: string): Buffer => new SshWriter().string(text).toBuffer();
  it.each<[string, Tail, string]>([
    ["unsorted extensions", { extensions: options(["b", flag], ["a", flag]) }, "out of order"],
    ["an extension given twice", { extensions: options(["a", flag], ["a", flag]) }, "given twice"],
    ["a critical option given twice", { critical: options(["a", flag], ["a", packed("x")]) }, "given twice"],
    ["an option's value with something behind it", { critical: options(["a", Buffer.concat([packed("x"), Buffer.alloc(1)])]) }, "after its end"],
    ["an empty value not written as one", { extensions: options(["a", packed("")]) }, "empty value"],
    ["an option without a name", { extensions: options(["", flag]) }, "without a name"],
    ["a use of the reserved field", { reserved: "x" }, "reserved"],
    ["a type that is neither", { type: 3 }, "neither"],
    ["an empty principal", { principals: packed("") }, "empty principal"],
    ["a principal list cut short", { principals: Buffer.of(0, 0, 0, 9) }, "announced"],
    ["too many principals", { principals: Buffer.concat(Array.from({ length: 257 }, (_, index) => packed(`u${index}`))) }, "more than"],
    ["a name with NUL", { principals: packed("ana\0root") }, "NUL"],
    ["text that is not UTF-8", { principals: Buffer.concat([Buffer.of(0, 0, 0, 1, 0xff)]) }, "UTF-8"],
  ])("refuses %s, though properly signed", (_, edit, problem) => {
    expect(() => parseSshCertificate(forge(tail(edit)))).toThrow(new RegExp(problem));
  });

  it("refuses a certificate in the place of the signing key", () => {
    expect(() => parseSshCertificate(forge(tail({}), issue().blob))).toThrow(/cert-v01@openssh.com.*not supported/);
    expect(parseSshCertificate(forge(tail({}))).keyId).toBe("ana");
  });

  it("refuses a signature by RSA with SHA-1, or with an algorithm that is not the key's", () => {
    const authority = keys["ssh-rsa"]!;
    const certificate = issue({}, authority);
    const trusted = { ...check, caKeys: [sshPublicKey(authority)] };
    verifySshCertificate(certificate, trusted);
    const reader = new SshReader(certificate.signature, "signature");
    expect(reader.text()).toBe("rsa-sha2-512");
    const bytes = reader.string();
    for (const algorithm of ["ssh-rsa", "rsa-sha2-256", "ssh-ed25519", "toString", ""]) {
      const signature = new SshWriter().string(algorithm).string(bytes).toBuffer();
      expect(() => verifySshCertificate({ ...certificate, signature }, trusted)).toThrow(/signature is wrong or not of an accepted algorithm/);
    }
  });

  it.each<[string, Partial<SshCertificateFields>, Partial<SshCertificateCheck>, string]>([
    ["another authority", {}, { caKeys: [sshPublicKey(keys["ecdsa-sha2-nistp256"]!)] }, "not a trusted authority"],
    ["no authority", {}, { caKeys: [] }, "not a trusted authority"],
    ["a host's in place of a user's", { type: "host" }, {}, "host certificate where a user"],
    ["a user's in place of a host's", {}, { type: "host" }, "user certificate where a host"],
    ["one not valid yet", { validAfter: BigInt(now / 1000 + 1) }, {}, "not valid yet"],
    ["one at its end", { validBefore: BigInt(now / 1000) }, {}, "expired"],
    ["another login", {}, { principal: "root" }, 'not for "root"'],
    ["a login in another case", {}, { principal: "Ana" }, 'not for "Ana"'],
    ["an unknown critical option", { criticalOptions: new Map([["force-command", "id"]]) }, {}, "force-command.*not supported"],
    ["a critical option on a host", { type: "host", criticalOptions: new Map([["source-address", "0.0.0.0/0"]]) }, { type: "host", sourceAddress: "1.1.1.1" }, "not supported"],
    ["another address", { criticalOptions: new Map([["source-address", "10.0.0.0/8,::1"]]) }, { sourceAddress: "11.0.0.1" }, "from this address"],
    ["an unknown address", { criticalOptions: new Map([["source-address", "0.0.0.0/0"]]) }, {}, "from this address"],
    ["a list of addresses with a mistake", { criticalOptions: new Map([["source-address", "10.0.0.0/8,10.0.0.0/33"]]) }, { sourceAddress: "10.0.0.1" }, "from this address"],
  ])("refuses %s", (_, changes, against, problem) => {
    expect(() => verifySshCertificate(issue(changes), { ...check, ...against })).toThrow(new RegExp(problem));
  });

  it("takes what is right: a principal, a host name in capitals, an address in the list", () => {
    verifySshCertificate(issue(), { ...check, principal: "deploy" });
    verifySshCertificate(issue({ type: "host", principals: ["web-1.example"] }), { ...check, type: "host", principal: "Web-1.Example" });
    const bound = issue({ criticalOptions: new Map([["source-address", "10.0.0.0/8,fd00::/8,192.0.2.7"]]) });
    for (const sourceAddress of ["10.255.0.1", "::ffff:10.1.2.3", "fd12::1", "192.0.2.7"]) verifySshCertificate(bound, { ...check, sourceAddress });
  });

  it("refuses one without principals, which OpenSSH would take for every host", () => {
    const certificate = parseSshCertificate(forge(tail({ principals: Buffer.alloc(0) })));
    expect(() => verifySshCertificate(certificate, check)).toThrow(/no principal/);
    expect(() => issue({ principals: [] })).toThrow(/no principal/);
  });

  it("does not sign doubled principals, NUL, a validity that ends before it begins, or more than 64 KiB", () => {
    expect(() => issue({ principals: ["a", "a"] })).toThrow(/twice/);
    expect(() => issue({ keyId: "a\0" })).toThrow(/NUL/);
    expect(() => issue({ extensions: new Map([["a", "\ud800"]]) })).toThrow(/surrogate/);
    expect(() => issue({ validBefore: fields.validAfter })).toThrow(/ends before/);
    expect(() => issue({ serial: 2n ** 64n })).toThrow(/64 bits/);
    expect(() => issue({ extensions: new Map([["a", "x".repeat(70_000)]]) })).toThrow(/larger than/);
  });
});
