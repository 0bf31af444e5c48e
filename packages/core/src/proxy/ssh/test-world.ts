/** For tests alone: an SSH proxy over a real store, real authorities and a real sshd. */
import { generateKeyPairSync, type KeyObject } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import type { AddressInfo } from "node:net";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import { connect as tlsConnect, type TLSSocket } from "node:tls";
import { sshConnectUrl, sshEndingUrl, sshServerName, sshUpgrade, type SshConnectRequest } from "../../api/index.ts";
import { openRecordings, type AuditEventInput, type AuditLog } from "../../audit/index.ts";
import { openAuth, type AuthService, type Caller } from "../../auth/index.ts";
import { nullLogger, systemClock, systemRandom, type Clock } from "../../base/index.ts";
import { exportAuthority, newKeyPair, openAuthorities, type Authorities } from "../../ca/index.ts";
import { encodeOpenSshPrivateKey, formatAuthorizedKey, parseAuthorizedKey, sshFingerprint, sshPublicKey } from "../../formats/index.ts";
import { parseResource } from "../../resources/index.ts";
import { openStore } from "../../store/index.ts";
import { startSshd, type Sshd } from "../../testing/index.ts";
import { createFrontListener } from "../listener/index.ts";
import { Recorder, Sessions } from "../sessions/index.ts";
import { createSshProxy, type SshProxy, type SshProxyOptions } from "./index.ts";

const localAdmin: Caller = { type: "local-admin" };
export const hostLogin = userInfo().username;

/** Somebody who has logged in. */
export interface TestPerson {
  readonly name: string;
  readonly privateKey: KeyObject;
  /** Lines and PEM. */
  readonly sshCertificate: string;
  readonly tlsCertificate: string;
}

/** What came of asking to be connected. */
export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** Of a refusal. */
  readonly body: { readonly message?: string; readonly id?: string; readonly code?: string };
  readonly socket: TLSSocket;
}

export interface SshWorld {
  readonly directory: string;
  readonly authorities: Authorities;
  readonly auth: AuthService;
  readonly proxy: SshProxy;
  readonly sshd: Sshd;
  /** Ports of SSH itself and of the shared listener. */
  readonly port: number;
  readonly webPort: number;
  readonly events: AuditEventInput[];
  /** The last event of this name. */
  last(event: string): AuditEventInput | undefined;
  /** What the clock of the proxy is ahead by, ms. */
  ahead: number;
  /** The log takes nothing. */
  auditBroken: boolean;
  /** The secret of a stored item. */
  secretOf(kind: string, name: string): Promise<string>;
  put(resource: Record<string, unknown>): Promise<void>;
  remove(kind: "user" | "role" | "node" | "lock", name: string): Promise<void>;
  /** Somebody with these roles, created where there is no such user. */
  logIn(name: string, roles: readonly string[]): Promise<TestPerson>;
  /** A role that lets in as the test's own user, on every host. */
  role(name: string, spec?: { readonly options?: Record<string, unknown>; readonly allow?: Record<string, unknown>; readonly deny?: Record<string, unknown> }): Promise<void>;
  /** Asks as `tsh proxy ssh` does. */
  connect(person: TestPerson | undefined, request: SshConnectRequest): Promise<Answer>;
  /** Asks why a connection was ended. */
  ending(person: TestPerson, connection: string): Promise<Answer>;
  close(): Promise<void>;
}

/** Reads an answer's head; for a refusal its body too. */
async function readAnswer(socket: TLSSocket): Promise<Answer> {
  let bytes = Buffer.alloc(0);
  const more = (): Promise<boolean> =>
    new Promise((resolve) => {
      const settle = (open: boolean) => (): void => {
        socket.off("readable", readable).off("end", ended).off("close", ended);
        resolve(open);
      };
      const readable = settle(true);
      const ended = settle(false);
      socket.once("readable", readable).once("end", ended).once("close", ended);
    });
  for (;;) {
    const chunk = socket.read() as Buffer | null;
    if (chunk !== null) bytes = Buffer.concat([bytes, chunk]);
    const end = bytes.indexOf("\r\n\r\n");
    if (end >= 0) {
      const [first = "", ...lines] = bytes.toString("latin1", 0, end).split("\r\n");
      const headers = Object.fromEntries(lines.map((line) => [line.slice(0, line.indexOf(":")).toLowerCase(), line.slice(line.indexOf(":") + 2)]));
      const status = Number(first.split(" ")[1]);
      const rest = bytes.subarray(end + 4);
      if (status === 101) {
        if (rest.length > 0) socket.unshift(rest);
        return { status, headers, body: {}, socket };
      }
      if (rest.length >= Number(headers["content-length"])) return { status, headers, body: JSON.parse(rest.toString()) as Answer["body"], socket };
    }
    if (chunk === null && !(await more())) throw new Error(`the connection ended after ${bytes.toString("latin1")}`);
  }
}

export async function openSshWorld(options: Partial<SshProxyOptions> & { readonly sshdConfig?: readonly string[]; readonly hostNames?: readonly string[]; /** The host has another certificate than one of the cluster. */ readonly hostAuthority?: Authorities } = {}): Promise<SshWorld> {
  const directory = await mkdtemp(join(tmpdir(), "gatehouse-ssh-"));
  const file = (name: string): string => join(directory, name);
  const write = (name: string, content: string): Promise<void> => writeFile(file(name), content, { mode: 0o600 });
  const events: AuditEventInput[] = [];
  const state = { ahead: 0, auditBroken: false };
  const clock: Clock = { now: () => systemClock.now() + state.ahead };
  const base = { random: systemRandom, logger: nullLogger };
  const audit: AuditLog = {
    emit(event) {
      if (state.auditBroken) return Promise.reject(new Error("the disk is full"));
      events.push(event);
      return Promise.resolve();
    },
    close: () => Promise.resolve(),
  };
  const store = await openStore({ ...base, clock: systemClock, path: file("db/gatehouse.db"), keyFile: file("secret.key"), pollIntervalMs: 20 });
  const authorities = await openAuthorities({ ...base, clock, store, clusterName: "example" });
  const auth = await openAuth({ ...base, clock, store, authorities, audit, preference: { type: "local", second_factor: "off" }, maxStaleness: 86_400_000, passwordCost: { memoryCost: 64, timeCost: 1, parallelism: 1 }, onApplied: () => proxy.streams.recheck() });

  const own = await newKeyPair();
  const server = authorities.issueHost({ publicKey: own.publicKey, hostId: "gw", nodeName: "gateway-1", role: "Proxy", principals: [], dnsNames: [sshServerName("example")], ipAddresses: ["127.0.0.1"], ttl: 86_400_000 });
  const recorder = new Recorder(audit, nullLogger);
  const recordings = openRecordings({ directory: file("log"), serverId: "gw", clock, logger: nullLogger, audit });
  const sessions = new Sessions({ recorder, clock, logger: nullLogger, serverId: "gw", recordings, recording: "strict" });
  const proxy: SshProxy = createSshProxy({
    ...base,
    nodes: auth.nodes,
    revocations: auth.revocations,
    gatekeeper: auth.gatekeeper,
    authorities,
    recorder,
    sessions,
    clock,
    tls: { key: own.privateKey.export({ type: "pkcs8", format: "pem" }).toString(), cert: server.tls },
    serverId: "gw",
    nodeName: "gateway-1",
    hostNames: ["127.0.0.1", "localhost"],
    mode: "off",
    sourceAddresses: [],
    clientIdleTimeout: 0,
    adminAddress: () => undefined,
    ...options,
  });
  const listening = await proxy.listen({ host: "127.0.0.1", port: 0 });
  const front = createFrontListener({ name: "web", route: () => proxy.server, ssh: (socket) => proxy.accept(socket), logger: nullLogger });
  const web: AddressInfo = await front.listen({ host: "127.0.0.1", port: 0 });

  const hostKey = generateKeyPairSync("ed25519").privateKey;
  const certified = (options.hostAuthority ?? authorities).issueHost({ publicKey: formatAuthorizedKey(sshPublicKey(hostKey)), hostId: "node-1", nodeName: "web-1", role: "Node", principals: [], dnsNames: [], ipAddresses: [], ttl: 86_400_000 });
  await write("host", encodeOpenSshPrivateKey(hostKey));
  await write("host-cert.pub", certified.ssh);
  await write("trusted", `${exportAuthority(authorities.trust("openssh")).ssh.join("\n")}\n`);
  await write("known_hosts", `${exportAuthority(authorities.trust("host")).ssh.join("\n")}\n`);
  await write("principals", `${hostLogin}@node-1\n`);
  const sshd = await startSshd(directory, [
    `HostKey ${file("host")}`,
    `HostCertificate ${file("host-cert.pub")}`,
    `TrustedUserCAKeys ${file("trusted")}`,
    `AuthorizedPrincipalsFile ${file("principals")}`,
    "MaxStartups 500",
    "MaxSessions 500",
    ...(options.sshdConfig ?? []),
  ]);

  const secure = (person: TestPerson | undefined): TLSSocket => {
    const socket = tlsConnect({
      port: web.port,
      host: "127.0.0.1",
      servername: sshServerName("example"),
      ca: [...authorities.trust("host").tlsCertificates],
      ...(person === undefined ? {} : { key: person.privateKey.export({ type: "pkcs8", format: "pem" }), cert: person.tlsCertificate }),
    });
    return socket.on("error", () => socket.destroy());
  };

  const world: SshWorld = {
    directory,
    authorities,
    auth,
    proxy,
    sshd,
    port: listening.port,
    webPort: web.port,
    events,
    last: (name) => events.findLast(({ event }) => event === name),
    get ahead() {
      return state.ahead;
    },
    set ahead(ms) {
      state.ahead = ms;
    },
    get auditBroken() {
      return state.auditBroken;
    },
    set auditBroken(broken) {
      state.auditBroken = broken;
    },
    secretOf: async (kind, name) => (await store.get(kind, name))?.secret ?? "",
    async put(resource) {
      await auth.admin.put(localAdmin, parseResource(resource), "upsert");
    },
    async remove(kind, name) {
      await auth.admin.remove(localAdmin, { kind, name });
    },
    async role(name, spec = {}) {
      await world.put({ kind: "role", version: "v3", metadata: { name }, spec: { options: spec.options ?? {}, allow: { logins: [hostLogin], ...spec.allow }, deny: spec.deny ?? {} } });
    },
    async logIn(name, roles) {
      await world.put({ kind: "user", version: "v2", metadata: { name }, spec: { roles, traits: {} } });
      const { privateKey, publicKey } = await newKeyPair();
      const login = await auth.admin.signUser(localAdmin, { name, publicKey, ttl: 3_600_000, compatibility: "", origin: { remoteAddress: "127.0.0.1:1" } });
      const text = (base64: string): string => Buffer.from(base64, "base64").toString();
      return { name, privateKey, sshCertificate: text(login.cert), tlsCertificate: text(login.tls_cert) };
    },
    ending: async (person, connection) => {
      const socket = secure(person);
      socket.write(`GET ${sshEndingUrl(connection)} HTTP/1.1\r\nhost: gw\r\n\r\n`);
      return readAnswer(socket);
    },
    connect(person, request) {
      const socket = secure(person);
      socket.write(`GET ${sshConnectUrl(request)} HTTP/1.1\r\nhost: gw\r\nconnection: Upgrade\r\nupgrade: ${sshUpgrade}\r\n\r\n`);
      return readAnswer(socket);
    },
    async close() {
      await sshd.stop();
      front.close();
      await proxy.close({ drainMs: 0 });
      await sessions.close("over");
      await recordings.close();
      await auth.close();
      await store.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
  await world.put({
    kind: "node",
    version: "v2",
    sub_kind: "openssh",
    metadata: { name: "node-1", labels: { env: "staging" } },
    spec: { addr: `127.0.0.1:${String(sshd.port)}`, hostname: "web-1", host_key: sshFingerprint(parseAuthorizedKey(formatAuthorizedKey(sshPublicKey(hostKey))).blob) },
  });
  return world;
}
