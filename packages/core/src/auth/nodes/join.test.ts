import { createHash, generateKeyPairSync, type KeyObject } from "node:crypto";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { SshWriter, formatAuthorizedKey, parseAuthorizedKey, parseKrl, parseSshCertificate, sshFingerprint, sshPublicKey, sshSign, verifySshCertificate } from "../../formats/index.ts";
import { kinds, nodeJoinRecord, readRecord } from "../records.ts";
import { localAdmin, openAuthWorld, origin, type AuthWorld } from "../testing/index.ts";
import { hostNamespace, joinMessage, renewMessage, type HostGrant, type HostJoinRequest } from "./index.ts";

const secret = "0123456789abcdef0123456789abcdef";
const day = 24 * 3_600_000;
const newKey = (): KeyObject => generateKeyPairSync("ed25519").privateKey;

/** As `ssh-keygen -Y sign` does. */
function sign(key: KeyObject, message: string, namespace = hostNamespace): string {
  const hash = createHash("sha512").update(message).digest();
  const signed = new SshWriter().raw(Buffer.from("SSHSIG")).string(namespace).string("").string("sha512").string(hash).toBuffer();
  const file = new SshWriter().raw(Buffer.from("SSHSIG")).uint32(1).string(sshPublicKey(key)).string(namespace).string("").string("sha512").string(sshSign(key, signed)).toBuffer();
  return `-----BEGIN SSH SIGNATURE-----\n${file.toString("base64")}\n-----END SSH SIGNATURE-----\n`;
}

describe("hosts that join", () => {
  let world: AuthWorld;
  beforeEach(async () => {
    world = await openAuthWorld({ gatewayNames: () => ["web-gate"] });
  });
  afterEach(() => world.close());

  const token = (spec: Record<string, unknown> = {}, name = secret, expires?: string): Promise<unknown> =>
    world.put({ kind: "token", version: "v2", metadata: { name, ...(expires === undefined ? {} : { expires }) }, spec: { roles: ["Node"], join_method: "token", node_names: ["web-*", "db"], node_labels: { env: "staging", rack: "r*" }, ...spec } });
  async function join(key: KeyObject, changes: Partial<HostJoinRequest> = {}): Promise<HostGrant> {
    const request = { token: secret, name: "web-1", addr: "", labels: "", challenge: await world.auth.hosts.challenge(), origin, ...changes };
    return world.auth.hosts.join({ signature: sign(key, joinMessage(request)), ...request });
  }
  async function renew(key: KeyObject, id: string, namespace?: string): Promise<HostGrant> {
    const challenge = await world.auth.hosts.challenge();
    return world.auth.hosts.renew({ id, challenge, signature: sign(key, renewMessage({ challenge, id }), namespace), origin });
  }
  const rule = (event = "node.join"): unknown => world.audit.last(event)?.["rule"];

  it("are nodes with a bound key and a certificate for their names", async () => {
    await token();
    const key = newKey();
    const grant = await join(key, { name: "Web-1", addr: ":2222", labels: "rack=r7" });
    expect(grant).toMatchObject({ node: { hostname: "web-1", addr: { host: "127.0.0.1", port: 2222 }, labels: { env: "staging", rack: "r7" }, hostKey: sshFingerprint(sshPublicKey(key)) }, expires: world.clock.now() + 28 * day, notes: [] });
    const { id } = grant.node;
    const certificate = parseSshCertificate(grant.certificate);
    verifySshCertificate(certificate, { type: "host", caKeys: world.authorities.trust("host").sshKeys.map((line) => parseAuthorizedKey(line).blob), now: world.clock.now(), principal: `${id}.example` });
    expect(certificate.principals).toEqual([`${id}.example`, "web-1.example", "web-1"]);
    expect(formatAuthorizedKey(certificate.publicKey)).toBe(formatAuthorizedKey(sshPublicKey(key)));
    expect(world.auth.nodes.resolve("web-1")).toMatchObject({ outcome: "found", node: { id } });
    expect(world.audit.last("node.create")).toMatchObject({ name: id, user: "node:web-1", hostname: "web-1", addr: "127.0.0.1:2222", labels: { env: "staging", rack: "r7" }, "addr.remote": origin.remoteAddress });
    expect(world.audit.last("host_cert.create")).toMatchObject({ server_id: id, principals: certificate.principals, serial: String(certificate.serial) });
    expect(JSON.stringify(world.audit.events)).not.toContain(secret);
  });

  it("use their token up, but for the host itself that comes again", async () => {
    await token({ uses: 2 });
    const key = newKey();
    const { node } = await join(key);
    expect((await join(key, { labels: "rack=r1" })).node).toMatchObject({ id: node.id, labels: { env: "staging", rack: "r1" } });
    await join(newKey(), { name: "web-2" });
    await expect(join(newKey(), { name: "web-3" })).rejects.toMatchObject({ code: "access_denied", message: expect.stringMatching(/^this token was used already/) as string });
    expect(rule()).toBe("token_used");
    const again = await join(key, { labels: "rack=r2" });
    expect(again.node).toMatchObject({ id: node.id, labels: { env: "staging", rack: "r1" } });
    expect(again.notes).toHaveLength(1);
    world.clock.advance(2 * day);
    await expect(join(key)).rejects.toThrow(/was used already/);
  });

  it("are not called what another host is dialled at", async () => {
    await world.put({ kind: "node", version: "v2", metadata: { name: "node-9" }, spec: { addr: "db:22", hostname: "postgres" } });
    await token();
    await expect(join(newKey(), { name: "db" })).rejects.toThrow('"db" is where node "postgres" is dialled');
    expect(rule()).toBe("name_taken");
  });

  it("of two at once with one token, one is let in", async () => {
    await token();
    const outcomes = await Promise.allSettled([join(newKey(), { name: "web-1" }), join(newKey(), { name: "web-2" }), join(newKey(), { name: "web-3" })]);
    expect(outcomes.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
    expect(world.auth.nodes.list()).toHaveLength(1);
  });

  it.each<[string, Partial<HostJoinRequest>, RegExp]>([
    ["token", { token: "fedcba9876543210" }, /^there is no such token/],
    ["name", { name: "app-1" }, /lets no host be called "app-1": it is for web-\*, db/],
    ["name", { name: "web-1\n" }, /is no name for a host/],
    ["name", { name: "web-*" }, /is no name for a host/],
    ["reserved", { name: "web-gate" }, /it is what this gateway is called/],
    ["reserved", { name: "web-1.example" }, /must not end in "\.example"/],
    ["labels", { labels: "env=prod" }, /no host have the label env=prod: it is for env=staging/],
    ["labels", { labels: "team=x" }, /no host have the label team=x/],
    ["labels", { labels: "rack=x" }, /it is for rack=r\*/],
    ["labels", { labels: "rack" }, /not written as/],
    ["addr", { addr: "10.0.0.5:22" }, /no host be dialled at 10\.0\.0\.5:22 that comes from 127\.0\.0\.1/],
    ["addr", { addr: "a b" }, /is no address/],
  ])("are refused by %s: %j", async (name, changes, message) => {
    await token();
    await expect(join(newKey(), changes)).rejects.toMatchObject({ code: "access_denied", message: expect.stringMatching(message) as string });
    expect(world.audit.last("node.join")).toMatchObject({ code: "G1008W", rule: name, success: false, id: expect.stringMatching(/./) as string });
    expect(world.auth.nodes.list()).toEqual([]);
    expect((await join(newKey())).node.hostname).toBe("web-1");
  });

  it("may have another address where the token says so", async () => {
    await token({ node_addrs: ["10.0.0.*"] });
    expect((await join(newKey(), { addr: "10.0.0.5:2200" })).node.addr).toEqual({ host: "10.0.0.5", port: 2200 });
  });

  it("have their key, and sign what is asked for now", async () => {
    await token();
    const key = newKey();
    const challenge = await world.auth.hosts.challenge();
    const request = { token: secret, name: "web-1", addr: "", labels: "", challenge, origin };
    const signature = sign(key, joinMessage(request));
    await expect(world.auth.hosts.join({ ...request, name: "web-2", signature })).rejects.toThrow(/not that of its key/);
    await expect(world.auth.hosts.join({ ...request, signature: sign(key, joinMessage(request), "file") })).rejects.toThrow(/namespace/);
    await expect(world.auth.hosts.join({ ...request, signature: "x" })).rejects.toMatchObject({ code: "bad_parameter" });
    for (const forged of [challenge.replace(/.$/, (last) => (last === "0" ? "1" : "0")), `9${challenge}`, "", "x".repeat(1000)]) {
      const other = { ...request, challenge: forged };
      await expect(world.auth.hosts.join({ ...other, signature: sign(key, joinMessage(other)) })).rejects.toThrow(/challenge/);
    }
    world.clock.advance(6 * 60_000);
    await expect(world.auth.hosts.join({ ...request, signature })).rejects.toThrow(/older than five minutes/);
  });

  it("with another's name or another's key wait for an administrator", async () => {
    await token({ uses: 10 });
    const key = newKey();
    const { node } = await join(key);
    await expect(join(newKey())).rejects.toMatchObject({ message: expect.stringMatching(/there is a node "web-1" with another host key/) as string, hint: `if that host is gone, or got new keys: tctl nodes rm ${node.id}` });
    expect(rule()).toBe("name_taken");
    await expect(join(key, { name: "web-2" })).rejects.toThrow(/is that of node "web-1"/);
    expect(rule()).toBe("host_key");
    await world.auth.admin.remove(localAdmin, { kind: "node", name: node.id });
    expect((await join(newKey())).node.id).not.toBe(node.id);
    expect((await join(key, { name: "web-2" })).node.hostname).toBe("web-2");
  });

  it("are not adopted where an administrator made a node of that name", async () => {
    await token();
    await world.put({ kind: "node", version: "v2", metadata: { name: "by-hand" }, spec: { addr: "h", hostname: "web-1" } });
    await expect(join(newKey())).rejects.toThrow(/there is a node "web-1"/);
  });

  it("renew by their key alone, until they are removed: then their certificates count no more", async () => {
    await token();
    const key = newKey();
    const { node, certificate } = await join(key);
    world.clock.advance(14 * day);
    const renewed = await renew(key, node.id);
    expect(renewed.expires).toBe(world.clock.now() + 28 * day);
    await expect(renew(newKey(), node.id)).rejects.toThrow(/joined with another host key/);
    expect(world.audit.last("node.renew")).toMatchObject({ code: "G1009W", rule: "host_key", server_id: node.id });
    await expect(renew(key, node.id, "file")).rejects.toThrow(/namespace/);
    await expect(renew(key, "by-hand")).rejects.toThrow(/none of the cluster's/);
    const serials = [certificate, renewed.certificate].map((line) => parseSshCertificate(line).serial);
    expect(serials.map((serial) => world.auth.revocations.isHostRevoked(serial))).toEqual([false, false]);
    await world.auth.admin.remove(localAdmin, { kind: "node", name: node.id });
    await expect(renew(key, node.id)).rejects.toThrow(/none of the cluster's any more/);
    expect(serials.map((serial) => world.auth.revocations.isHostRevoked(serial))).toEqual([true, true]);
    const { certificates } = parseKrl(world.auth.revocations.list().krl);
    expect(certificates.flatMap((each) => each.serials.map(({ first }) => first))).toEqual([...serials].sort((a, b) => (a < b ? -1 : 1)));
  });

  it("get no more certificates than can be revoked with them", async () => {
    await token();
    const key = newKey();
    const { node, certificate } = await join(key);
    const stored = await world.store.get(kinds.nodeJoin, node.id);
    const record = stored && readRecord(nodeJoinRecord, stored);
    const later = Array.from({ length: 498 }, (_, index) => ({ serial: String(index + 1), expires: world.clock.now() + 29 * day }));
    const certificates = [...(record?.certificates ?? []), ...later];
    await world.store.transact([{ op: "put", kind: kinds.nodeJoin, name: node.id, value: JSON.stringify({ ...record, certificates }) }]);
    const last = await renew(key, node.id);
    await expect(renew(key, node.id)).rejects.toMatchObject({ code: "access_denied", message: `this host has 500 certificates that have not ended, and gets no more until ${new Date(last.expires).toISOString()}` });
    expect(rule("node.renew")).toBe("certificates");
    await expect(join(key)).rejects.toThrow("this host has 500 certificates");
    world.clock.advance(28 * day);
    await renew(key, node.id);
    await world.auth.admin.remove(localAdmin, { kind: "node", name: node.id });
    const isRevoked = (line: string): boolean => world.auth.revocations.isHostRevoked(parseSshCertificate(line).serial);
    expect(later.every(({ serial }) => world.auth.revocations.isHostRevoked(BigInt(serial)))).toBe(true);
    expect([certificate, last.certificate].map(isRevoked)).toEqual([false, false]);
  });

  it("get no certificate that could not be audited", async () => {
    await token();
    world.audit.before = ({ event }) => {
      if (event === "host_cert.create") throw new Error("full");
    };
    await expect(join(newKey())).rejects.toThrow();
  });

  it("are not let in by other tokens, nor bots by theirs", async () => {
    await world.put({ kind: "token", version: "v2", metadata: { name: secret }, spec: { roles: ["Node"] } });
    await expect(join(newKey())).rejects.toThrow(/lets no hosts join/);
    await token({}, secret);
    const publicKey = formatAuthorizedKey(sshPublicKey(generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey));
    await expect(world.auth.logins.join({ method: "token", token: secret, jwt: undefined, publicKey, ttl: 600_000, compatibility: "", origin })).rejects.toThrow(/lets hosts join, not bots/);
  });
});
