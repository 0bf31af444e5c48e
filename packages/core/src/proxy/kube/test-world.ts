import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer, request as httpsRequest } from "node:https";
import type { RequestOptions as PlainOptions } from "node:https";
import type { AddressInfo, Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect } from "node:tls";
import type { TLSSocket } from "node:tls";
import type { AuditEventInput, Recordings } from "../../audit/index.ts";
import type { Gatekeeper, Identity } from "../../auth/index.ts";
import { buildRoleSet } from "../../access/index.ts";
import { GatehouseError, manualClock, nullLogger, systemRandom } from "../../base/index.ts";
import type { ManualClock } from "../../base/index.ts";
import { newKeyPair, openAuthorities } from "../../ca/index.ts";
import type { Authorities } from "../../ca/index.ts";
import { kubeServerName } from "../../api/index.ts";
import { openStore } from "../../store/index.ts";
import { Recorder, Sessions } from "../sessions/index.ts";
import type { RecordingDefault } from "../sessions/index.ts";
import { fixedClusters } from "./clusters.ts";
import { createKubeProxy } from "./proxy.ts";
import type { KubeProxy, KubeProxyOptions, KubeUpstream } from "./types.ts";

type RequestOptions = PlainOptions & { readonly session?: Buffer };

/** For the tests of this folder alone: a proxy with real authorities, in front of an API server that a test plays. */
export interface TestWorld {
  readonly proxy: KubeProxy;
  readonly sessions: Sessions;
  /** The API server, as a cluster of the proxy. */
  readonly cluster: KubeUpstream;
  readonly port: number;
  readonly clock: ManualClock;
  readonly ca: string;
  /** What was audited. */
  readonly events: AuditEventInput[];
  /** What the API server got. */
  readonly arrived: IncomingMessage[];
  /** How the API server answers; `ok` by default. */
  answer: (request: IncomingMessage, response: ServerResponse) => void;
  upgrade: (request: IncomingMessage, socket: Socket, head: Buffer) => void;
  /** What the API server says it is; one that speaks all that kubectl does, by default. Learnt anew by `proxy.check()`. */
  version: { readonly major: string; readonly minor: string; readonly gitVersion: string };
  /** How the audit log behaves; writes by default. */
  audit: (event: AuditEventInput) => Promise<void>;
  /** Groups by user name; set, then {@link TestWorld.changed}. */
  readonly groups: Map<string, readonly string[]>;
  /** User names at Kubernetes by user name, where roles give some. */
  readonly users: Map<string, readonly string[]>;
  changed(): void;
  options(user: string, more?: RequestOptions): Promise<RequestOptions>;
  /** One request on a connection of its own (or on `more.agent`'s). */
  send(user: string, path: string, more?: RequestOptions, body?: string | Buffer): Promise<Answer>;
  raw(user: string): Promise<TLSSocket>;
  close(): Promise<void>;
}

/** How its sessions are recorded. */
interface RecordingOptions {
  readonly recordings?: Recordings | undefined;
  /** `strict` by default. */
  readonly recording?: RecordingDefault | undefined;
  readonly serverId?: string | undefined;
}

export interface Answer {
  readonly status: number;
  readonly headers: IncomingMessage["headers"];
  readonly body: string;
}

export async function createTestWorld(more: Partial<KubeProxyOptions> & { readonly upstream?: Partial<KubeUpstream>; readonly maxSessions?: number | undefined; readonly nodeProxy?: boolean } & RecordingOptions = {}): Promise<TestWorld> {
  const folder = await mkdtemp(join(tmpdir(), "gatehouse-kube-"));
  const clock = manualClock(Date.now());
  const store = await openStore({ path: join(folder, "store.db"), keyFile: join(folder, "key"), clock, random: systemRandom, logger: nullLogger });
  const authorities = await openAuthorities({ store, clusterName: "example", clock, random: systemRandom });
  const ca = authorities.trust("host").tlsCertificates[0] ?? "";
  const tls = await hostPair(authorities);

  const server = createServer({ key: tls.key, cert: tls.cert });
  let starting = true;
  server.on("request", (request, response) => {
    if (request.url === "/version" && request.headers["impersonate-user"] === undefined) {
      response.end(JSON.stringify(world.version));
      return;
    }
    if (starting) {
      response.end(JSON.stringify({ status: { allowed: true } }));
      return;
    }
    world.arrived.push(request);
    world.answer(request, response);
  });
  server.on("upgrade", (request, socket: Socket, head: Buffer) => {
    socket.on("error", () => undefined);
    world.arrived.push(request);
    world.upgrade(request, socket, head);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port: upstreamPort } = server.address() as AddressInfo;

  const groups = new Map<string, readonly string[]>([["ana", ["developers", "viewers"]], ["bo", ["viewers"]], ["ed", []]]);
  const users = new Map<string, readonly string[]>();
  const table = createGatekeeper(groups, users, more);
  const cluster: KubeUpstream = {
    name: "real", labels: {}, url: `https://localhost:${String(upstreamPort)}`, ca, insecureSkipTlsVerify: false, serverName: undefined, certificate: undefined, token: undefined, ...more.upstream,
  };
  const audit = { emit: (event: AuditEventInput) => world.audit(event).then(() => void world.events.push(event)), close: () => Promise.resolve() };
  const recorder = new Recorder(audit, nullLogger);
  const { recordings, recording = "strict", serverId = "" } = more;
  const sessions = new Sessions({ recorder, clock, logger: nullLogger, serverId, recordings, recording });
  const proxy = createKubeProxy({
    clusters: fixedClusters([cluster]),
    gatekeeper: table.gatekeeper,
    authorities,
    recorder,
    sessions,
    clock,
    logger: nullLogger,
    random: systemRandom,
    tls,
    ...more,
  });
  const { port } = await proxy.server.listen({ host: "127.0.0.1", port: 0 });
  const credentials = new Map<string, { key: string; cert: string }>();
  const pairOf = async (user: string): Promise<{ key: string; cert: string }> => {
    const pair = credentials.get(user) ?? (await userPair(authorities, user));
    credentials.set(user, pair);
    return pair;
  };
  const world: TestWorld = {
    proxy, sessions, cluster, port, clock, ca, events: [], arrived: [], groups, users,
    answer: (_request, response) => response.end("ok"),
    upgrade: (_request, socket) => socket.destroy(),
    version: { major: "1", minor: "33", gitVersion: "v1.33.0" },
    audit: () => Promise.resolve(),
    changed: table.changed,
    async options(user, options = {}) {
      return { host: "127.0.0.1", port, servername: kubeServerName("real"), ca, agent: false, ...(await pairOf(user)), ...options };
    },
    async send(user, path, options = {}, body) {
      const request = httpsRequest({ ...(await world.options(user, options)), path });
      request.end(body);
      const [response] = (await once(request, "response")) as [IncomingMessage];
      const chunks: Buffer[] = [];
      for await (const chunk of response) chunks.push(chunk as Buffer);
      return { status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(chunks).toString("utf8") };
    },
    async raw(user) {
      const { key, cert } = await pairOf(user);
      const socket = connect({ host: "127.0.0.1", port, servername: kubeServerName("real"), ca, key, cert });
      socket.on("error", () => undefined);
      await once(socket, "secureConnect");
      return socket;
    },
    async close() {
      await proxy.close({ drainMs: 0 });
      await sessions.close("the gateway is shutting down");
      server.closeAllConnections();
      server.close();
      await store.close();
      await rm(folder, { recursive: true });
    },
  };
  // As a gateway does when it starts.
  await Promise.all(proxy.clusters.map(({ name }) => proxy.check(name)));
  starting = false;
  return world;
}

/** A gatekeeper over a table: an unknown name is a removed user. */
function createGatekeeper(groups: ReadonlyMap<string, readonly string[]>, users: ReadonlyMap<string, readonly string[]>, { maxSessions = 0, nodeProxy = false }: { readonly maxSessions?: number | undefined; readonly nodeProxy?: boolean }): { readonly gatekeeper: Gatekeeper; changed(): void } {
  const listeners = new Set<() => void>();
  let generation = 1;
  const empty = buildRoleSet([], {});
  const gatekeeper: Gatekeeper = {
    get generation() {
      return generation;
    },
    identify(certificate): Identity {
      const { username, notAfter } = certificate;
      if (!groups.has(username)) throw new GatehouseError("access_denied", `user "${username}" does not exist any more`);
      return { username, subjectId: username, sessionId: "s", traits: {}, roles: { ...empty, options: () => ({ ...empty.options(), maxSessions }) }, expires: notAfter };
    },
    kube(identity) {
      const own = groups.get(identity.username) ?? [];
      return { allowed: own.length > 0, groups: own, users: users.get(identity.username) ?? [], nodeProxy, reasons: [] };
    },
    node: () => ({ allowed: false, reasons: [] }),
    sessionLock: () => undefined,
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
  return {
    gatekeeper,
    changed() {
      generation += 1;
      for (const listener of listeners) listener();
    },
  };
}

async function userPair(authorities: Authorities, username: string): Promise<{ key: string; cert: string }> {
  const { privateKey, publicKey } = await newKeyPair();
  const { tls } = authorities.issueUser({
    publicKey, username, subjectId: username, sessionId: "s", roles: ["r"], logins: [], traits: {}, ttl: 3_600_000, permitPortForwarding: false, permitAgentForwarding: false, format: "standard",
  });
  return { key: privateKey.export({ type: "pkcs8", format: "pem" }).toString(), cert: tls };
}

async function hostPair(authorities: Authorities): Promise<{ key: string; cert: string }> {
  const { privateKey, publicKey } = await newKeyPair();
  const { tls } = authorities.issueHost({
    publicKey, hostId: "h", nodeName: "h", role: "Proxy", principals: [], dnsNames: ["localhost", "*.kube.teleport.cluster.local"], ipAddresses: ["127.0.0.1"], ttl: 30 * 24 * 3_600_000,
  });
  return { key: privateKey.export({ type: "pkcs8", format: "pem" }).toString(), cert: tls };
}
