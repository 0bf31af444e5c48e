import { createHash, type KeyObject } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { GatehouseError } from "../base/index.ts";
import { certifySshKey, newSshKey, sshKeyKinds } from "../testing/index.ts";
import { jwkBytes } from "./ssh-keys.ts";
import { SshWriter, parseSshCertificate, sshPublicKey } from "./index.ts";
import { parseAddedKey, parseAgentDestinations, parseSignedUserauth, type AddedKey } from "./ssh-agent/index.ts";

/** A key as ssh-add writes it. */
function contents(key: KeyObject, certificate?: Buffer): SshWriter {
  const jwk = key.export({ format: "jwk" });
  const type = (blob: Buffer): string => blob.subarray(4, 4 + blob.readUInt32BE()).toString();
  const blob = sshPublicKey(key);
  const writer = new SshWriter().string(type(certificate ?? blob));
  if (certificate) writer.string(certificate);
  if (jwk.kty === "OKP") writer.string(jwkBytes(jwk.x)).string(Buffer.concat([jwkBytes(jwk.d), jwkBytes(jwk.x)]));
  else if (jwk.kty === "EC") {
    if (!certificate) writer.string(type(blob).slice(-8)).string(Buffer.concat([Buffer.of(4), jwkBytes(jwk.x), jwkBytes(jwk.y)]));
    writer.mpint(jwkBytes(jwk.d));
  } else {
    if (!certificate) writer.mpint(jwkBytes(jwk.n)).mpint(jwkBytes(jwk.e));
    for (const part of [jwk.d, jwk.qi, jwk.p, jwk.q]) writer.mpint(jwkBytes(part));
  }
  return writer.string("a comment");
}

const problem = (bytes: Buffer): string => {
  try {
    parseAddedKey(bytes);
    return "none";
  } catch (error) {
    if (!(error instanceof GatehouseError) || error.code !== "bad_parameter") throw error;
    return error.message;
  }
};

const hop = (user: string, host: string, keys: readonly Buffer[]): Buffer => keys.reduce((writer, key) => writer.string(key).boolean(false), new SshWriter().string(user).string(host).string("")).toBuffer();
const destination = (from: Buffer, to: Buffer): Buffer => new SshWriter().string(new SshWriter().string(from).string(to).string("").toBuffer()).toBuffer();
const restricted = (destinations: Buffer): SshWriter => new SshWriter().byte(255).string("restrict-destination-v00@openssh.com").string(destinations);

describe("a key that is brought to an agent", () => {
  it.each(sshKeyKinds)("is read, with a certificate or without: %s", (kind) => {
    const key = newSshKey(kind);
    const plain = parseAddedKey(contents(key).toBuffer());
    expect(plain).toMatchObject({ comment: "a comment", lifetime: undefined, confirm: false, destinations: undefined });
    expect(plain.blob).toEqual(sshPublicKey(key));
    expect(plain.privateKey.equals(key)).toBe(true);
    const { blob } = parseSshCertificate(certifySshKey(newSshKey(), key, "user", ["root"]));
    const certified = parseAddedKey(contents(key, blob).toBuffer());
    expect(certified.blob).toEqual(blob);
    expect(certified.privateKey.equals(key)).toBe(true);
  });

  it.each(sshKeyKinds)("is refused whole where any byte of it is wrong or missing: %s", (kind) => {
    const bytes = contents(newSshKey(kind)).toBuffer();
    for (let length = 0; length < bytes.length; length += kind === "ed25519" ? 1 : 23) expect(problem(bytes.subarray(0, length))).not.toBe("none");
    fc.assert(fc.property(fc.nat(bytes.length - 14), fc.integer({ min: 1, max: 255 }), (at, change) => {
      const broken = Buffer.from(bytes);
      broken[at] = broken[at]! ^ change;
      let read: AddedKey | undefined;
      try {
        read = parseAddedKey(broken);
      } catch (error) {
        if (!(error instanceof GatehouseError)) throw error;
      }
      // What RSA's exponent d says is not used where the CRT's numbers are, and those were checked by a signature.
      expect(read === undefined || kind === "rsa").toBe(true);
    }), { numRuns: 20 });
  });

  it("is refused with the private half of another, and with a certificate that nobody signed", () => {
    const [one, other] = [newSshKey("nistp256"), newSshKey("nistp256")];
    const { blob } = parseSshCertificate(certifySshKey(newSshKey(), one, "user", ["root"]));
    expect(problem(contents(other, blob).toBuffer())).toMatch(/private half/);
    const forged = Buffer.from(blob);
    forged[forged.length - 1] = forged[forged.length - 1]! ^ 1;
    expect(problem(contents(one, forged).toBuffer())).toMatch(/signature is wrong/);
    expect(problem(new SshWriter().string("ssh-dss").toBuffer())).toMatch(/not a kind of key/);
  });

  it("has the constraints that it came with, each once, and none that is not known", () => {
    const key = contents(newSshKey()).toBuffer();
    const place = destination(hop("", "", []), hop("ana", "web-1", [Buffer.from("host key")]));
    const all = new SshWriter().raw(key).byte(1).uint32(60).byte(2).raw(restricted(place).toBuffer()).toBuffer();
    expect(parseAddedKey(all)).toMatchObject({ lifetime: 60, confirm: true, destinations: [{ from: { hostname: undefined, keys: [] }, to: { user: "ana", hostname: "web-1" } }] });
    const refused = [Buffer.of(3, 0, 0, 0, 1), Buffer.of(2, 2), Buffer.of(1, 0, 0, 0, 1, 1, 0, 0, 0, 1), Buffer.of(1, 0), new SshWriter().byte(255).string("sk-provider@openssh.com").string("x").toBuffer(), restricted(Buffer.alloc(0)).toBuffer()];
    for (const constraints of refused) expect(problem(Buffer.concat([key, constraints]))).not.toBe("none");
  });

  it("is refused with destinations that say nothing or contradict themselves", () => {
    const [origin, host] = [hop("", "", []), hop("", "web-1", [Buffer.from("k")])];
    expect(parseAgentDestinations(Buffer.concat([destination(origin, host), destination(host, host)]))).toHaveLength(2);
    const bad = [destination(origin, origin), destination(hop("ana", "", []), host), destination(hop("", "a", []), host), destination(hop("", "", [Buffer.from("k")]), host), destination(origin, hop("", "a", [])), destination(origin, hop("", "a", [Buffer.alloc(0)]))];
    for (const each of bad) expect(() => parseAgentDestinations(each)).toThrow(GatehouseError);
    expect(() => parseAgentDestinations(Buffer.concat(Array.from({ length: 1025 }, () => destination(origin, host))))).toThrow(/more than 1024/);
  });

  it("never throws anything else for noise", () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), fc.constantFrom("ssh-ed25519", "ssh-rsa", "ecdsa-sha2-nistp256", "ssh-rsa-cert-v01@openssh.com"), (noise, type) => {
      problem(new SshWriter().string(type).raw(noise).toBuffer());
      problem(Buffer.concat([contents(fixed).toBuffer(), noise]));
      expect(parseSignedUserauth(noise, Buffer.from(noise))).toBeUndefined();
    }));
  });
});

const fixed = newSshKey();

describe("what is signed to log in", () => {
  const blob = sshPublicKey(newSshKey("rsa"));
  const session = createHash("sha256").digest();
  const data = (method: string, more: { readonly service?: string; readonly algorithm?: string; readonly key?: Buffer; readonly tail?: Buffer; readonly number?: number } = {}): Buffer => {
    const { service = "ssh-connection", algorithm = "rsa-sha2-512", key = blob, tail = Buffer.alloc(0), number = 50 } = more;
    return new SshWriter().string(session).byte(number).string("ana").string(service).string(method).boolean(true).string(algorithm).string(key).raw(tail).toBuffer();
  };
  const bound = "publickey-hostbound-v00@openssh.com";
  const host = new SshWriter().string("host").toBuffer();

  it("is recognized, and nothing else is", () => {
    expect(parseSignedUserauth(data("publickey"), blob)).toEqual({ sessionId: session, user: "ana", hostKey: undefined });
    expect(parseSignedUserauth(data(bound, { tail: host }), blob)).toEqual({ sessionId: session, user: "ana", hostKey: Buffer.from("host") });
    const others = [data("password"), data("publickey", { tail: host }), data(bound), data("publickey", { service: "ssh-userauth" }), data("publickey", { algorithm: "ssh-ed25519" }), data("publickey", { key: Buffer.from("another") }), data("publickey", { number: 51 })];
    for (const other of others) expect(parseSignedUserauth(other, blob)).toBeUndefined();
  });
});
