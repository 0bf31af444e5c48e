import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buildRoleSet } from "@gatehouse/core/access";
import { openAuditLog, openEventSearch, openRecordings } from "@gatehouse/core/audit";
import type { AuditLog } from "@gatehouse/core/audit";
import type { Gatekeeper } from "@gatehouse/core/auth";
import { GatehouseError, nullLogger, systemClock, systemRandom } from "@gatehouse/core/base";
import type { Clock, Logger } from "@gatehouse/core/base";
import { newKeyPair, openAuthorities } from "@gatehouse/core/ca";
import type { Authorities } from "@gatehouse/core/ca";
import { createKubeProxy, fixedClusters } from "@gatehouse/core/proxy/kube";
import type { KubeProxy, KubeProxyOptions, KubeUpstream } from "@gatehouse/core/proxy/kube";
import { Recorder, Sessions } from "@gatehouse/core/proxy/sessions";
import type { RecordingDefault } from "@gatehouse/core/proxy/sessions";
import { parseResource } from "@gatehouse/core/resources";
import type { Role } from "@gatehouse/core/resources";
import type { EventIndex, Store } from "@gatehouse/core/store";
import { createMemoryStore } from "./memory-store.ts";

/** A key and a certificate, PEM. */
export interface ClientCredentials {
  readonly key: string;
  readonly cert: string;
}

/** The Kubernetes proxy alone, with real authorities and audit log, and a fixed table in the place of logins. */
export interface FixedGateway {
  readonly proxy: KubeProxy;
  readonly port: number;
  /** PEM of the authority that the gateway's own certificate comes from. */
  readonly ca: string;
  readonly authorities: Authorities;
  /** A certificate for a person, from authorities whose clock stands `ageMs` back. */
  credentials(username: string, options?: { readonly ageMs?: number; readonly ttl?: number }): Promise<ClientCredentials>;
  /** A host's certificate, for which no person stands. */
  hostCredentials(): Promise<ClientCredentials>;
  /** Takes a person's right away, as removing the user does. */
  remove(username: string): void;
  close(): Promise<void>;
}

export interface FixedGatewayOptions {
  readonly clusters: readonly KubeUpstream[];
  /** Groups in every cluster, by user name. */
  readonly people: Readonly<Record<string, readonly string[]>>;
  readonly logger?: Logger;
  readonly serverLimits?: KubeProxyOptions["serverLimits"];
  /** Records sessions; off by default. */
  readonly recording?: RecordingDefault;
  /** false: nothing is audited. For the bench, to know what auditing costs. */
  readonly audited?: boolean;
}

const clusterName = "example";
const hour = 3_600_000;

/** Starts it on a free port of 127.0.0.1. */
export async function startFixedGateway(options: FixedGatewayOptions): Promise<FixedGateway> {
  const { clusters, people, logger = nullLogger } = options;
  const folder = await mkdtemp(join(tmpdir(), "gatehouse-fixed-"));
  const standard = { clock: systemClock, random: systemRandom, logger };
  const store = createMemoryStore();
  const authorities = await openAuthorities({ store, clusterName, ...standard });
  const audit = options.audited === false ? silent : await openAudit(join(folder, "log"), logger);
  const table = createTable(people);
  const server = await hostPair(authorities);
  const { recording = "off" } = options;
  const recordings = recording === "off" ? undefined : openRecordings({ directory: join(folder, "log"), serverId: "fixed", clock: systemClock, logger, audit });
  const recorder = new Recorder(audit, logger);
  const sessions = new Sessions({ recorder, clock: systemClock, logger, serverId: "fixed", recordings, recording });
  const proxy = createKubeProxy({
    recorder,
    sessions,
    clusters: fixedClusters(clusters),
    gatekeeper: table.gatekeeper,
    authorities,
    ...standard,
    tls: { key: server.key, cert: server.cert },
    serverLimits: options.serverLimits,
  });
  const { port } = await proxy.server.listen({ host: "127.0.0.1", port: 0 });
  return {
    proxy,
    port,
    ca: authorities.trust("host").tlsCertificates[0] ?? "",
    authorities,
    credentials: async (username, { ageMs = 0, ttl = hour } = {}) => userPair(ageMs === 0 ? authorities : await inThePast(store, ageMs), username, ttl),
    hostCredentials: () => hostPair(authorities),
    remove: table.remove,
    async close() {
      await proxy.close({ drainMs: 0 });
      await sessions.close("the gateway is shutting down");
      await recordings?.close();
      await audit.close();
      await rm(folder, { recursive: true });
    },
  };
}

/** An audit log that is none. */
const silent: AuditLog = { emit: () => Promise.resolve(), close: () => Promise.resolve() };

/** The log, with its index being built and thrown away. */
async function openAudit(directory: string, logger: Logger): Promise<AuditLog> {
  const log = await openAuditLog({ directory, serverId: "fixed", clock: systemClock, logger, sync: "group" });
  const index: EventIndex = { add: async () => undefined, ends: async () => new Map(), find: async () => [], forget: async () => undefined };
  const events = await openEventSearch({ directory, serverId: "fixed", index, position: () => log.position(), logger });
  return {
    emit: (event) => log.emit(event),
    async close() {
      await events.close();
      await log.close();
    },
  };
}

function inThePast(store: Store, ageMs: number): Promise<Authorities> {
  const clock: Clock = { now: () => Date.now() - ageMs };
  return openAuthorities({ store, clusterName, clock, random: systemRandom });
}

async function userPair(authorities: Authorities, username: string, ttl: number): Promise<ClientCredentials> {
  const pair = await newKeyPair();
  const certificates = authorities.issueUser({
    publicKey: pair.publicKey,
    username,
    subjectId: username,
    sessionId: `session-${username}`,
    roles: [username],
    logins: [],
    traits: {},
    ttl,
    permitPortForwarding: false,
    permitAgentForwarding: false,
    format: "standard",
  });
  return { key: pair.privateKey.export({ type: "pkcs8", format: "pem" }).toString(), cert: certificates.tls };
}

async function hostPair(authorities: Authorities): Promise<ClientCredentials> {
  const pair = await newKeyPair();
  const names = { dnsNames: ["localhost", "*.kube.teleport.cluster.local"], ipAddresses: ["127.0.0.1"] };
  const certificates = authorities.issueHost({ publicKey: pair.publicKey, hostId: "fixed", nodeName: "fixed", role: "Proxy", principals: [], ...names, ttl: hour });
  return { key: pair.privateKey.export({ type: "pkcs8", format: "pem" }).toString(), cert: certificates.tls };
}

/** A gatekeeper over a table of people; each has one role of their own name. */
function createTable(people: FixedGatewayOptions["people"]): { readonly gatekeeper: Gatekeeper; remove(username: string): void } {
  const sets = new Map(Object.entries(people).map(([name, groups]) => [name, buildRoleSet([roleOf(name, groups)], {})]));
  const listeners = new Set<() => void>();
  let generation = 0;
  const gatekeeper: Gatekeeper = {
    identify(certificate) {
      const roles = sets.get(certificate.username);
      if (roles === undefined) throw new GatehouseError("access_denied", `user "${certificate.username}" does not exist any more`);
      const { username, subjectId = "", sessionId = "", traits, notAfter } = certificate;
      return { username, subjectId, sessionId, traits, roles, expires: notAfter };
    },
    kube: (identity, target) => identity.roles.kube(target),
    node: (identity, { labels }, login) => identity.roles.node(labels, login),
    sessionLock: () => undefined,
    get generation() {
      return generation;
    },
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
  return {
    gatekeeper,
    remove(username) {
      sets.delete(username);
      generation += 1;
      for (const listener of listeners) listener();
    },
  };
}

function roleOf(name: string, groups: readonly string[]): Role {
  const resource = parseResource(
    { kind: "role", version: "v3", metadata: { name: name.replace(/[^a-z]/g, "-") }, spec: { allow: { kubernetes_groups: groups, kubernetes_labels: { "*": "*" } } } },
  );
  if (resource.kind !== "role") throw new Error("not a role");
  return resource;
}
