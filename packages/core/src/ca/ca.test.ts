import { createPrivateKey, generateKeyPairSync, type KeyObject } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { GatehouseError, manualClock, nullLogger, systemRandom } from "../base/index.ts";
import {
  buildCertificate,
  certificateDer,
  der,
  derTag,
  parseAuthorizedKey,
  parseCertificate,
  parseSshCertificate,
  publicKeyFromSsh,
  spkiPin,
  sshFingerprint,
  signSshCertificate,
  verifySshCertificate,
  type SshCertificateFields,
  type CertificateContent,
} from "../formats/index.ts";
import { openStore, type Store } from "../store/index.ts";
import { exportAuthority, newKeyPair, openAuthorities, type Authorities, type ConnectionCertificateRequest, type HostCertificateRequest, type KeyPair, type UserCertificateRequest } from "./index.ts";

const start = Date.UTC(2026, 5, 1, 12);
const clock = manualClock(start);
const hour = 3_600_000;
let directory: string;
const stores: Store[] = [];
let store: Store;
let keys: KeyPair;

async function openIn(name: string): Promise<Store> {
  const opened = await openStore({ path: join(directory, name, "gatehouse.db"), keyFile: join(directory, name, "secret.key"), clock, random: systemRandom, logger: nullLogger });
  stores.push(opened);
  return opened;
}
const open = (from = store, clusterName = "example"): Promise<Authorities> => openAuthorities({ store: from, clusterName, clock, random: systemRandom });

beforeAll(async () => {
  keys = await newKeyPair();
});
beforeEach(async () => {
  clock.set(start);
  directory = await mkdtemp(join(tmpdir(), "gatehouse-ca-"));
  store = await openIn("db");
});
afterEach(async () => {
  await Promise.all(stores.splice(0).map((each) => each.close()));
  await rm(directory, { recursive: true });
});

const userRequest = (changes: Partial<UserCertificateRequest> = {}): UserCertificateRequest => ({
  publicKey: keys.publicKey,
  username: "ana",
  subjectId: "github:github:1001",
  sessionId: "0b9f4f6e-session",
  roles: ["access", "auditor"],
  logins: ["ana", "deploy"],
  traits: { logins: ["ana"], kubernetes_groups: ["developers", "viewers"] },
  ttl: 12 * hour,
  permitPortForwarding: true,
  permitAgentForwarding: false,
  format: "standard",
  ...changes,
});
const hostRequest = (changes: Partial<HostCertificateRequest> = {}): HostCertificateRequest => ({
  publicKey: keys.publicKey,
  hostId: "5f2b",
  nodeName: "Gateway-1",
  role: "Proxy",
  principals: ["gw.example.com", "gateway-1"],
  dnsNames: ["gw.example.com", "*.kube.teleport.cluster.local"],
  ipAddresses: ["127.0.0.1"],
  ttl: 24 * hour,
  ...changes,
});
const blobs = (authorities: Authorities, kind: "user" | "openssh" | "host"): Buffer[] => authorities.trust(kind).sshKeys.map((line) => parseAuthorizedKey(line).blob);

describe("openAuthorities", () => {
  it("makes three authorities once, and finds them again", async () => {
    const first = await open();
    const again = await open();
    expect(again.caPin).toBe(first.caPin);
    for (const kind of ["user", "openssh", "host"] as const) {
      expect(again.trust(kind)).toEqual(first.trust(kind));
      expect(first.trust(kind)).toBe(first.trust(kind));
      expect(first.trust(kind).sshKeys).toHaveLength(1);
      expect(first.trust(kind).sshKeys[0]).toMatch(/^ssh-ed25519 \S+$/);
      expect(first.trust(kind).tlsCertificates).toHaveLength(kind === "openssh" ? 0 : 1);
    }
    expect(new Set(["user", "openssh", "host"].map((kind) => first.trust(kind as "user").sshKeys[0])).size).toBe(3);
    expect(again.identifyUser(certificateDer(first.issueUser(userRequest()).tls)).username).toBe("ana");
  });

  it("writes CA certificates as v3 does, for ten years", async () => {
    const authorities = await open();
    const certificate = parseCertificate(authorities.trust("host").tlsCertificates[0]!);
    expect(certificate).toMatchObject({
      subject: { O: ["example"], CN: ["example"], serialNumber: [certificate.serial.toString()] },
      issuer: certificate.subject,
      ca: true,
      pathLength: 0,
      keyUsage: ["digitalSignature", "keyCertSign"],
      signatureAlgorithm: "ecdsa-sha256",
      notAfter: Date.UTC(2036, 5, 1, 12),
    });
    expect(authorities.caPin).toBe(spkiPin(certificate.der));
  });

  it("agrees when several gateways start at once", async () => {
    const other = await openIn("db");
    const opened = await Promise.all([open(), open(other), open(), open(other)]);
    expect(new Set(opened.map(({ caPin }) => caPin)).size).toBe(1);
    const [a, b] = [opened[0], opened[1]];
    expect(b.identifyUser(certificateDer(a.issueUser(userRequest()).tls)).username).toBe("ana");
  });

  it("keeps private keys in the secret alone", async () => {
    await open();
    for (const item of await store.list("cert_authority")) {
      expect(item.value).not.toContain("PRIVATE");
      expect((await store.get("cert_authority", item.name))?.secret).toContain("PRIVATE KEY");
    }
  });

  it("says so when the cluster has another name", async () => {
    await open();
    await expect(open(store, "other")).rejects.toThrow(/belongs to cluster "example".*configured as "other"/);
    await expect(open(store, "bad name")).rejects.toThrow(/cannot be a cluster's name/);
    await expect(open(store, "")).rejects.toThrow(/cannot be a cluster's name/);
  });

  it("refuses authorities that are damaged, and says nothing of their keys", async () => {
    await open();
    const user = (await store.get("cert_authority", "user"))!;
    const host = (await store.get("cert_authority", "host"))!;
    const put = (item: typeof user, changes: { value?: string; secret?: string | undefined }) =>
      store.transact([{ op: "put", kind: "cert_authority", name: item.name, value: item.value, secret: item.secret, ...changes }]);
    for (const changes of [{ secret: host.secret }, { secret: undefined }, { secret: "{}" }, { secret: `{"hush":1` }, { value: host.value }, { value: "{" }, { value: user.value.replace("ssh-ed25519 AAAA", "ssh-ed25519 BBBB") }]) {
      await put(user, changes);
      const error = await open().catch((thrown: unknown) => thrown);
      expect(error).toBeInstanceOf(GatehouseError);
      expect(error).toMatchObject({ code: "internal", message: expect.stringContaining('authority "user" cannot be used') as string });
      expect(`${String(error)} ${JSON.stringify(error)} ${String((error as Error).cause)}`).not.toMatch(/PRIVATE KEY-----|hush/);
    }
    await put(user, {});
    await open();
    await store.transact([{ op: "delete", kind: "cert_authority", name: "openssh" }]);
    await expect(open()).rejects.toThrow(/not openssh/);
  });
});

describe("issueUser", () => {
  it("signs an SSH certificate as v3 describes it", async () => {
    const authorities = await open();
    const pair = authorities.issueUser(userRequest());
    expect(pair.expires).toBe(start + 12 * hour);
    expect(pair.ssh.endsWith("\n")).toBe(true);
    const certificate = parseSshCertificate(pair.ssh);
    expect(certificate).toMatchObject({ type: "user", keyId: "ana", principals: ["ana", "deploy"], validAfter: BigInt(start / 1000 - 60), validBefore: BigInt(start / 1000 + 12 * 3600) });
    expect([...certificate.criticalOptions]).toEqual([]);
    expect(Object.fromEntries(certificate.extensions)).toEqual({
      "permit-pty": "",
      "gatehouse-session": '{"subject":"github:github:1001","session":"0b9f4f6e-session"}',
      "permit-port-forwarding": "",
      "teleport-roles": '{"version":"v1","roles":["access","auditor"]}',
      "teleport-traits": '{"kubernetes_groups":["developers","viewers"],"logins":["ana"]}',
    });
    verifySshCertificate(certificate, { caKeys: blobs(authorities, "user"), now: start, type: "user", principal: "deploy" });
    expect(() => verifySshCertificate(certificate, { caKeys: blobs(authorities, "openssh"), now: start, type: "user" })).toThrow(/not a trusted authority/);
    expect(parseSshCertificate(authorities.issueUser(userRequest()).ssh).serial).not.toBe(certificate.serial);
  });

  it("leaves out what oldssh does not know, and what was not permitted", async () => {
    const authorities = await open();
    const certificate = parseSshCertificate(authorities.issueUser(userRequest({ format: "oldssh", permitPortForwarding: false, permitAgentForwarding: true })).ssh);
    expect([...certificate.extensions.keys()]).toEqual(["gatehouse-session", "permit-agent-forwarding", "permit-pty"]);
  });

  it("signs an X.509 certificate for clients alone, with no alternative names", async () => {
    const authorities = await open();
    const certificate = parseCertificate(authorities.issueUser(userRequest()).tls);
    expect(certificate).toMatchObject({
      subject: { CN: ["ana"], postalCode: ['{"kubernetes_groups":["developers","viewers"],"logins":["ana"]}'] },
      issuer: { O: ["example"], CN: ["example"] },
      extendedKeyUsage: ["clientAuth"],
      keyUsage: ["digitalSignature"],
      ca: false,
      dnsNames: [],
      ipAddresses: [],
      notBefore: start - 60_000,
      notAfter: start + 12 * hour,
    });
    expect([...certificate.subject.O!].sort()).toEqual(["access", "auditor"]);
    expect([...certificate.subject.L!].sort()).toEqual(["ana", "deploy"]);
    expect(certificate.others).toHaveLength(1);
    expect(certificate.others[0]).toMatchObject({ critical: false, oid: "1.3.9999.2603.1" });
  });

  it("writes no identifier that Go, and so kubectl, cannot parse", async () => {
    const authorities = await open();
    const pair = authorities.issueUser(userRequest());
    for (const { oid } of parseCertificate(pair.tls).others) {
      for (const arc of oid.split(".")) expect(BigInt(arc)).toBeLessThan(2n ** 31n);
    }
  });

  it("takes someone without roles, logins or traits", async () => {
    const authorities = await open();
    const pair = authorities.issueUser(userRequest({ roles: [], logins: [], traits: {} }));
    const certificate = parseSshCertificate(pair.ssh);
    expect(certificate.principals).toEqual(["-no-logins-"]);
    expect(certificate.extensions.get("teleport-traits")).toBe("null");
    expect(parseCertificate(pair.tls).subject).toEqual({ CN: ["ana"], postalCode: ["null"] });
    expect(authorities.identifyUser(certificateDer(pair.tls))).toMatchObject({ roles: [], logins: [], traits: {} });
  });

  it.each<[string, Partial<UserCertificateRequest>, RegExp]>([
    ["a name of Kubernetes' own", { username: "system:admin" }, /reserved/],
    ["an empty name", { username: "" }, /1 to 256 characters/],
    ["a name with a newline", { username: "ana\nroot" }, /control character/],
    ["a machine's role", { roles: ["access", "Proxy"] }, /is a machine's/],
    ["an empty login", { logins: [""] }, /a login/],
    ["no time at all", { ttl: 0 }, /cannot be issued for 0 ms/],
    ["a time that is no number", { ttl: Number.NaN }, /cannot be issued/],
    ["more than thirty hours", { ttl: 31 * hour }, /cannot be issued/],
    ["a key that is none", { publicKey: "ssh-ed25519 AAAA" }, /SSH public key/],
    ["a certificate for a key", { publicKey: "ssh-ed25519-cert-v01@openssh.com AAAA" }, /not supported/],
    ["more than fits", { traits: { huge: ["x".repeat(70_000)] } }, /64 KiB|65536/],
    ["too many logins", { logins: Array.from({ length: 300 }, (_, index) => `u${index}`) }, /more than 256 principals/],
  ])("refuses %s", async (_, changes, problem) => {
    const authorities = await open();
    expect(() => authorities.issueUser(userRequest(changes))).toThrow(problem);
    expect(() => authorities.issueUser(userRequest(changes))).toThrow(expect.objectContaining({ code: "bad_parameter" }) as Error);
  });

  it("tells back whatever it was asked to say", async () => {
    const authorities = await open();
    const name = fc.string({ unit: "grapheme", minLength: 1, maxLength: 20 }).filter((text) => !/[\u0000-\u001f\u007f-\u009f\p{Surrogate}]/u.test(text));
    const list = fc.uniqueArray(name, { maxLength: 5 });
    const request = fc.record({
      username: name.filter((text) => !text.startsWith("system:")),
      subjectId: name,
      sessionId: name,
      generation: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
      roles: list.map((roles) => roles.filter((role) => !/^[A-Z]/.test(role))),
      logins: list,
      traits: fc.dictionary(name.filter((text) => text !== "__proto__"), list, { maxKeys: 4 }),
    });
    fc.assert(fc.property(request, fc.constantFrom(keys.publicKey), (asked, publicKey) => {
      const identity = authorities.identifyUser(certificateDer(authorities.issueUser(userRequest({ ...asked, publicKey })).tls));
      expect({ ...identity, roles: [...identity.roles].sort(), logins: [...identity.logins].sort() }).toMatchObject({ ...asked, traits: { ...asked.traits }, roles: [...asked.roles].sort(), logins: [...asked.logins].sort(), usage: [], clusterName: "example" });
    }), { numRuns: 60 });
  });

  it("never outlives the authority, and does not sign once that has ended", async () => {
    const authorities = await open();
    const end = Date.UTC(2036, 5, 1, 12);
    clock.set(end - hour);
    const pair = authorities.issueUser(userRequest());
    expect(pair.expires).toBe(end);
    expect(parseSshCertificate(pair.ssh).validBefore).toBe(BigInt(end / 1000));
    clock.set(end);
    expect(() => authorities.issueUser(userRequest())).toThrow(/authority "user" has expired/);
  });
});

describe("a renewed certificate", () => {
  it("names its generation, in both forms; the first one does not, as before", async () => {
    const authorities = await open();
    const peer = { login: "ana", address: "192.0.2.7" };
    for (const generation of [1, 2, 7]) {
      const pair = authorities.issueUser(userRequest({ generation }));
      expect(authorities.identifyUser(certificateDer(pair.tls)).generation).toBe(generation);
      const ssh = parseSshCertificate(pair.ssh);
      expect(authorities.identifySshUser(ssh, peer).generation).toBe(generation);
      expect(JSON.parse(ssh.extensions.get("gatehouse-session") ?? "")).toEqual({ subject: "github:github:1001", session: "0b9f4f6e-session", ...(generation === 1 ? {} : { generation }) });
    }
  });

  it("ends where it has to, whatever lifetime it is asked for", async () => {
    const authorities = await open();
    const end = start + hour + 700;
    expect(authorities.issueUser(userRequest({ ttl: 12 * hour, latest: end })).expires).toBe(start + hour);
    expect(authorities.issueUser(userRequest({ ttl: hour / 2, latest: end })).expires).toBe(start + hour / 2);
    expect(() => authorities.issueUser(userRequest({ latest: start + 999 }))).toThrow(/cannot end before it begins/);
  });
});

describe("issueConnection", () => {
  const connection = (changes: Partial<ConnectionCertificateRequest> = {}): ConnectionCertificateRequest => ({
    publicKey: keys.publicKey,
    username: "ana",
    sessionId: "7c1e",
    login: "deploy",
    nodeId: "5f2b",
    sourceAddresses: ["10.0.0.7", "2001:db8::/64"],
    ttl: 60_000,
    permitPortForwarding: false,
    permitAgentForwarding: false,
    ...changes,
  });

  it("signs for one login on one host, some minutes, and the gateway's address, with the authority that hosts trust", async () => {
    const authorities = await open();
    const { ssh, expires } = authorities.issueConnection(connection());
    expect(expires).toBe(start + 60_000);
    const certificate = parseSshCertificate(ssh);
    expect(certificate).toMatchObject({ keyId: "ana session=7c1e", principals: ["deploy@5f2b"] });
    expect(Object.fromEntries(certificate.criticalOptions)).toEqual({ "source-address": "10.0.0.7,2001:db8::/64" });
    expect([...certificate.extensions.keys()]).toEqual(["permit-pty"]);
    const check = { caKeys: blobs(authorities, "openssh"), now: start, type: "user", principal: "deploy@5f2b" } as const;
    verifySshCertificate(certificate, { ...check, sourceAddress: "10.0.0.7" });
    expect(() => verifySshCertificate(certificate, { ...check, sourceAddress: "10.0.0.8" })).toThrow(/from this address/);
    const more = parseSshCertificate(authorities.issueConnection(connection({ forceCommand: "uptime", permitPortForwarding: true, permitX11Forwarding: true })).ssh);
    expect(more.criticalOptions.get("force-command")).toBe("uptime");
    expect([...more.extensions.keys()]).toEqual(["permit-X11-forwarding", "permit-port-forwarding", "permit-pty"]);
  });

  it.each([[{ ttl: hour }, /cannot be issued/], [{ sourceAddresses: [] }, /addresses/], [{ sourceAddresses: ["10.0.0.1/8"] }, /addresses/], [{ login: "root@5f2b" }, /no @/], [{ nodeId: "" }, /host's id/]])("refuses %j", async (changes, message) => {
    const authorities = await open();
    expect(() => authorities.issueConnection(connection(changes))).toThrow(message);
  });
});

describe("identifySshUser", () => {
  const peer = { login: "deploy", address: "192.0.2.7" };
  const refusal = (work: () => unknown): string => {
    try {
      work();
    } catch (error) {
      if (error instanceof GatehouseError && error.code === "unauthenticated") return error.message;
      throw error;
    }
    return "";
  };

  it("says who it is, and of which login", async () => {
    const authorities = await open();
    const certificate = parseSshCertificate(authorities.issueUser(userRequest({ sourceAddresses: ["192.0.2.0/24"] })).ssh);
    expect(authorities.identifySshUser(certificate, peer)).toEqual({
      username: "ana", roles: ["access", "auditor"], logins: ["ana", "deploy"], traits: { logins: ["ana"], kubernetes_groups: ["developers", "viewers"] }, usage: [], clusterName: "example",
      subjectId: "github:github:1001", sessionId: "0b9f4f6e-session", generation: 1, serial: certificate.serial.toString(), notBefore: start - 60_000, notAfter: start + 12 * hour,
    });
    expect(refusal(() => authorities.identifySshUser(certificate, { ...peer, login: "root" }))).toContain('not for "root"');
    expect(refusal(() => authorities.identifySshUser(certificate, { ...peer, address: "192.0.3.7" }))).toContain("from this address");
    clock.advance(12 * hour);
    expect(refusal(() => authorities.identifySshUser(certificate, peer))).toContain("it has expired");
  });

  it("lets somebody without logins name any, to be told that there is none", async () => {
    const authorities = await open();
    expect(authorities.identifySshUser(parseSshCertificate(authorities.issueUser(userRequest({ logins: [] })).ssh), peer).logins).toEqual([]);
  });

  it("refuses an address list that leaves nothing from everywhere", async () => {
    const authorities = await open();
    const certificate = parseSshCertificate(authorities.issueUser(userRequest({ sourceAddresses: [] })).ssh);
    expect(refusal(() => authorities.identifySshUser(certificate, peer))).toContain("from this address");
  });

  it("refuses certificates of others, of hosts and for one connection, and what it does not know", async () => {
    const authorities = await open();
    const foreign = await open(await openIn("foreign"));
    const of = (line: string, caller = authorities): string => refusal(() => caller.identifySshUser(parseSshCertificate(line), peer));
    expect(of(foreign.issueUser(userRequest()).ssh)).toContain("not a trusted authority");
    expect(of(authorities.issueHost(hostRequest()).ssh)).toContain("a host's certificate");
    expect(of(authorities.issueConnection({ publicKey: keys.publicKey, username: "ana", sessionId: "1", login: "deploy", nodeId: "n", sourceAddresses: ["192.0.2.7"], ttl: 60_000, permitPortForwarding: false, permitAgentForwarding: false }).ssh)).toContain("one connection to a host");
    expect(of(authorities.issueUser(userRequest({ format: "oldssh" })).ssh)).toContain("names no roles");
    const stored = JSON.parse((await store.get("cert_authority", "user"))?.secret ?? "{}") as { ssh_keys: string[] };
    const sign = (changes: Partial<SshCertificateFields>): string =>
      signSshCertificate(
        { type: "user", publicKey: parseAuthorizedKey(keys.publicKey).blob, serial: 1n, keyId: "ana", principals: ["deploy"], validAfter: 0n, validBefore: BigInt(start / 1000 + 60), criticalOptions: new Map(), extensions: new Map([["teleport-roles", '{"version":"v1","roles":[]}']]), ...changes },
        createPrivateKey(stored.ssh_keys[0]!),
        systemRandom,
      );
    expect(of(sign({}))).toContain("names no login session");
    expect(of(sign({ type: "host" }))).toContain("a host certificate");
    expect(of(sign({ criticalOptions: new Map([["force-command", "id"]]) }))).toContain('critical option "force-command" is not supported');
    const session = ["gatehouse-session", '{"subject":"a","session":"b"}'] as const;
    expect(of(sign({ extensions: new Map([session, ["teleport-roles", '{"version":"v1","roles":["Proxy"]}']]) }))).toContain("a machine's role");
    expect(of(sign({ extensions: new Map([["gatehouse-session", "{}"], ["teleport-roles", "x"]]) }))).toContain("unknown shape");
    expect(of(sign({ keyId: "system:admin", extensions: new Map([session, ["teleport-roles", '{"version":"v1","roles":[]}']]) }))).toContain("is reserved");
  });
});

describe("issueHost", () => {
  it("signs an SSH certificate with a host's names, in lower case", async () => {
    const authorities = await open();
    const certificate = parseSshCertificate(authorities.issueHost(hostRequest()).ssh);
    expect(certificate).toMatchObject({ type: "host", keyId: "", principals: ["5f2b.example", "gateway-1.example", "gateway-1", "gw.example.com"] });
    expect(Object.fromEntries(certificate.extensions)).toEqual({ "x-teleport-authority": "example", "x-teleport-role": "Proxy" });
    verifySshCertificate(certificate, { caKeys: blobs(authorities, "host"), now: start, type: "host", principal: "GW.example.com" });
    expect(parseSshCertificate(authorities.issueHost(hostRequest({ role: "Admin" })).ssh).principals).toEqual(["5f2b.example"]);
  });

  it("signs an X.509 certificate for servers alone", async () => {
    const authorities = await open();
    const certificate = parseCertificate(authorities.issueHost(hostRequest()).tls);
    expect(certificate).toMatchObject({ subject: { O: ["Proxy"], CN: ["5f2b.example"] }, extendedKeyUsage: ["serverAuth"], dnsNames: hostRequest().dnsNames, ipAddresses: ["127.0.0.1"], ca: false });
    expect(() => authorities.issueHost(hostRequest({ role: "access" }))).toThrow(/not a role of a machine/);
    expect(() => authorities.issueHost(hostRequest({ hostId: "" }))).toThrow(/host id/);
  });
});

describe("identifyUser", () => {
  /** What the stored user authority signs, when asked for anything at all. */
  async function signWith(kind: "user" | "host", changes: Partial<CertificateContent>): Promise<Buffer> {
    const item = (await store.get("cert_authority", kind))!;
    const { tls_keys: tlsKeys } = JSON.parse(item.secret!) as { tls_keys: string[] };
    const { tls_certificates: certificates } = JSON.parse(item.value) as { tls_certificates: string[] };
    return signAs(createPrivateKey(tlsKeys[0]!), certificates[0]!, changes);
  }
  function signAs(privateKey: KeyObject, ca: string, changes: Partial<CertificateContent>): Buffer {
    const content: CertificateContent = {
      serial: 5n,
      subject: { O: ["access"], postalCode: ["null"], CN: ["ana"] },
      notBefore: start - 60_000,
      notAfter: start + hour,
      publicKey: publicKeyFromSsh(parseAuthorizedKey(keys.publicKey).blob),
      keyUsage: ["digitalSignature"],
      extendedKeyUsage: ["clientAuth"],
      ...changes,
    };
    return certificateDer(buildCertificate(content, { privateKey, certificate: parseCertificate(ca) }));
  }
  const session = (text: string, tag: number = derTag.utf8String) => [{ oid: "1.3.9999.2603.1", critical: false, value: der(tag, Buffer.from(text)) }];

  it("knows a certificate of v3's, which has no session", async () => {
    const authorities = await open();
    const identity = authorities.identifyUser(await signWith("user", { extendedKeyUsage: ["serverAuth", "clientAuth"], subject: { O: ["admin"], OU: ["usage:kube"], L: ["ana"], postalCode: ['{"a":["b"]}'], CN: ["ana"] } }));
    expect(identity).toEqual({
      username: "ana", roles: ["admin"], logins: ["ana"], traits: { a: ["b"] }, usage: ["usage:kube"], clusterName: "example",
      subjectId: undefined, sessionId: undefined, generation: 1, serial: "5", notBefore: start - 60_000, notAfter: start + hour,
    });
  });

  it("refuses before the beginning, and from the end on", async () => {
    const authorities = await open();
    const bytes = certificateDer(authorities.issueUser(userRequest()).tls);
    for (const [at, problem] of [[start - 60_001, /not valid before/], [start + 12 * hour, /expired at 2026-06-02T00:00:00.000Z/], [start + 100 * hour, /expired/]] as const) {
      clock.set(at);
      expect(() => authorities.identifyUser(bytes)).toThrow(problem);
    }
    for (const at of [start - 60_000, start + 12 * hour - 1]) {
      clock.set(at);
      expect(authorities.identifyUser(bytes).username).toBe("ana");
    }
  });

  it.each<[string, Partial<CertificateContent>, RegExp]>([
    ["for servers alone", { extendedKeyUsage: ["serverAuth"] }, /lacks the extended key usage clientAuth/],
    ["for no stated use", { extendedKeyUsage: [] }, /lacks the extended key usage clientAuth/],
    ["that is a CA", { ca: {}, keyUsage: ["keyCertSign", "digitalSignature"] }, /an authority's certificate/],
    ["whose key may not sign", { keyUsage: ["keyEncipherment"] }, /not meant for signatures/],
    ["with a critical extension", { extensions: [{ oid: "1.2.3", critical: true, value: Buffer.of(5, 0) }] }, /critical extension/],
    ["with a machine's role", { subject: { O: ["Proxy"], postalCode: ["null"], CN: ["x"] } }, /machine's role/],
    ["without a name", { subject: { O: ["access"], postalCode: ["null"] } }, /exactly one person/],
    ["with two names", { subject: { O: ["access"], postalCode: ["null"], CN: ["ana", "root"] } }, /exactly one person/],
    ["of a reserved name", { subject: { O: ["access"], postalCode: ["null"], CN: ["system:masters"] } }, /reserved/],
    ["without traits", { subject: { O: ["access"], CN: ["ana"] } }, /set of traits/],
    ["with traits that are no JSON", { subject: { postalCode: ["{"], CN: ["ana"] } }, /not JSON/],
    ["with traits of another shape", { subject: { postalCode: ['{"a":"b"}'], CN: ["ana"] } }, /unknown shape/],
    ["with a session of another shape", { extensions: session('{"subject":"s"}') }, /unknown shape/],
    ["with a session that says more", { extensions: session('{"subject":"s","session":"t","admin":true}') }, /unknown shape/],
    ["with a session in another type of text", { extensions: session("{}", derTag.ia5String) }, /not a UTF-8 text/],
  ])("refuses one %s, though the user authority signed it", async (_, changes, problem) => {
    const authorities = await open();
    const bytes = await signWith("user", changes);
    expect(() => authorities.identifyUser(bytes)).toThrow(problem);
    expect(() => authorities.identifyUser(bytes)).toThrow(expect.objectContaining({ code: "unauthenticated" }) as Error);
  });

  it("refuses a host's certificate, even one that says it is a client's", async () => {
    const authorities = await open();
    expect(() => authorities.identifyUser(certificateDer(authorities.issueHost(hostRequest()).tls))).toThrow(/a host's certificate/);
    const disguised = await signWith("host", {});
    expect(() => authorities.identifyUser(disguised)).toThrow(/a host's certificate/);
  });

  it("refuses the authorities' own certificates", async () => {
    const authorities = await open();
    expect(() => authorities.identifyUser(certificateDer(authorities.trust("user").tlsCertificates[0]!))).toThrow(/an authority's certificate/);
    expect(() => authorities.identifyUser(certificateDer(authorities.trust("host").tlsCertificates[0]!))).toThrow(/a host's certificate/);
  });

  it("refuses what another cluster signed, whatever name it goes by", async () => {
    const authorities = await open();
    const namesake = await open(await openIn("namesake"));
    expect(() => authorities.identifyUser(certificateDer(namesake.issueUser(userRequest()).tls))).toThrow(/was not issued by the user authority of cluster "example"/);
    const foreign = await open(await openIn("foreign"), "foreign");
    expect(() => authorities.identifyUser(certificateDer(foreign.issueUser(userRequest()).tls))).toThrow(/issued by "foreign", not by cluster "example"/);
  });

  it("refuses a certificate that a person's own certificate signed", async () => {
    const authorities = await open();
    const pair = authorities.issueUser(userRequest());
    expect(() => authorities.identifyUser(signAs(keys.privateKey, pair.tls, { subject: { postalCode: ["null"], CN: ["root"] } }))).toThrow(/issued/);
    const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    expect(() => authorities.identifyUser(signAs(privateKey, authorities.trust("user").tlsCertificates[0]!, {}))).toThrow(/was not issued by the user authority/);
  });

  it("refuses any certificate with a changed byte, and any bytes at all", async () => {
    const authorities = await open();
    const bytes = certificateDer(authorities.issueUser(userRequest()).tls);
    const refused = (candidate: Uint8Array): void => expect(() => authorities.identifyUser(candidate)).toThrow(expect.objectContaining({ code: "unauthenticated" }) as Error);
    for (let at = 0; at < bytes.length; at++) {
      const changed = Buffer.from(bytes);
      changed[at]! ^= 1;
      refused(changed);
    }
    refused(Buffer.alloc(0));
    refused(Buffer.concat([bytes, Buffer.alloc(1)]));
    refused(Buffer.alloc(70_000, 0x30));
    fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (candidate) => {
      refused(candidate);
    }));
  });
});

describe("exportAuthority", () => {
  it("writes the lines that files of each kind take", async () => {
    const authorities = await open();
    const [user, openssh, host] = (["user", "openssh", "host"] as const).map((kind) => authorities.trust(kind));
    expect(exportAuthority(user!).ssh).toEqual([`cert-authority ${user!.sshKeys[0]!} clustername=example&type=user`]);
    expect(exportAuthority(openssh!).ssh).toEqual([`${openssh!.sshKeys[0]!} clustername=example&type=openssh`]);
    expect(exportAuthority(host!).ssh).toEqual([`@cert-authority *.example ${host!.sshKeys[0]!} type=host`]);
    expect(exportAuthority(host!, ["ana", "a b"]).ssh).toEqual([`@cert-authority *.example ${host!.sshKeys[0]!} logins=ana&logins=a+b&type=host`]);
    expect(exportAuthority(host!)).toMatchObject({ tls: host!.tlsCertificates, fingerprints: [sshFingerprint(blobs(authorities, "host")[0]!)] });
  });
});

