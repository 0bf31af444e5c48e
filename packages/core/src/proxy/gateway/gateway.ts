import { isIP, type AddressInfo } from "node:net";
import { join } from "node:path";
import { setTimeout as after } from "node:timers/promises";
import { createWitnessKeeper, openAuditLog, openEventSearch, openRecordingLibrary, openRecordings, type EventSearch, type OwnAuditLog, type WitnessKeeper } from "../../audit/index.ts";
import { openAuth, passwordLength, type AuthService, type StreamCheck } from "../../auth/index.ts";
import { systemClock, systemRandom, type Clock, type Logger, type Random } from "../../base/index.ts";
import { openAuthorities, type Authorities } from "../../ca/index.ts";
import type { GatewayConfig } from "../../config/index.ts";
import type { AuthPreference } from "../../resources/index.ts";
import { openStore, type Store } from "../../store/index.ts";
import { certificateCallers, createAdminApp, localCaller, openAdminSocket, writeNonce, type KubeView } from "../admin/index.ts";
import type { App } from "../http/index.ts";
import { createSshProxy, type SshProxy } from "../ssh/index.ts";
import { createKubeProxy, openClusters, type KubeProxy } from "../kube/index.ts";
import { createFrontListener } from "../listener/index.ts";
import { Recorder, Sessions } from "../sessions/index.ts";
import { createWebApp, type ProxyFacts } from "../web/index.ts";
import { formatAddress, isWildcard, publicAddress } from "./addresses.ts";
import { openCertificates, type Certificates } from "./certificates.ts";
import { gatewayNames } from "./host-certificate.ts";
import { createCleanup, type Cleanup } from "./cleanup.ts";
import { openDataDir } from "./data-dir.ts";
import { openDiagnostics, type Diagnostics } from "./diagnostics.ts";
import { hostNames } from "./host-certificate.ts";
import { readHostId } from "./host-id.ts";
import { describeCheck, watchKubeHealth, type KubeHealth } from "./kube-health.ts";
import { createLoginSettings } from "./login-settings.ts";
import { createApiServer, routeOf, type Servers } from "./servers.ts";
import type { Gateway, GatewayAddresses, GatewayDependencies } from "./types.ts";

/** How long a start waits for Kubernetes clusters to say whether the gateway may impersonate. */
const checkWait = 5000;

/** What the gateway is built from, once the data directory is open. */
interface Base {
  readonly config: GatewayConfig;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly store: Store;
  readonly hostId: string;
  readonly authorities: Authorities;
  readonly audit: OwnAuditLog;
  readonly recorder: Recorder;
  readonly sessions: Sessions;
  readonly events: EventSearch;
  readonly witness: WitnessKeeper;
  readonly auth: AuthService;
  readonly certificates: Certificates;
}

/** What is known only while the gateway runs; the applications ask for it at each request. */
interface Live {
  kube: KubeProxy | undefined;
  ssh: SshProxy | undefined;
  health: KubeHealth | undefined;
  web: AddressInfo | undefined;
  kubeAddress: AddressInfo | undefined;
  sshAddress: AddressInfo | undefined;
  adminAddress: AddressInfo | undefined;
  draining: boolean;
}

/** The stored preference as the config file has it. */
function preferenceOf({ type, secondFactor, connectorName, rpId, requireSessionMfa }: GatewayConfig["authentication"]): AuthPreference["spec"] {
  return {
    type,
    second_factor: secondFactor,
    ...(connectorName === undefined ? {} : { connector_name: connectorName }),
    ...(rpId === undefined ? {} : { webauthn: { rp_id: rpId } }),
    ...(requireSessionMfa ? { require_session_mfa: true } : {}),
  };
}

async function openBase(config: GatewayConfig, deps: GatewayDependencies, live: Live, cleanup: Cleanup): Promise<Base> {
  const { logger, clock = systemClock, random = systemRandom, env = process.env } = deps;
  const dataDir = await openDataDir(config.dataDir);
  cleanup.add("data directory", () => dataDir.release());
  const store = await openStore({ path: join(config.dataDir, "gatehouse.db"), keyFile: join(config.dataDir, "secret.key"), clock, random, logger });
  cleanup.add("store", () => store.close());
  const authorities = await openAuthorities({ store, clusterName: config.clusterName, clock, random });
  const hostId = await readHostId(config.dataDir);
  const audit = await openAuditLog({ directory: join(config.dataDir, "log"), serverId: hostId, clock, random, logger, sync: config.audit.sync, witnesses: config.audit.witnesses, retentionMs: config.audit.retention, hostname: config.nodeName });
  cleanup.add("audit log", () => audit.close());
  const recordings = openRecordings({ directory: join(config.dataDir, "log"), serverId: hostId, clock, logger, audit });
  cleanup.add("recordings", () => recordings.close());
  audit.precede(() => recordings.digests());
  // What a crash has left open is closed before there is anything new, unless there is very much of it.
  await Promise.race([recordings.recovered, after(checkWait, undefined, { ref: false })]);
  const recorder = new Recorder(audit, logger);
  const sessions = new Sessions({ recorder, clock, logger, serverId: hostId, recordings, recording: config.audit.recording });
  cleanup.add("sessions", () => sessions.close("the gateway is shutting down"));
  const events = await openEventSearch({ directory: join(config.dataDir, "log"), serverId: hostId, index: store.events, position: () => audit.position(), logger });
  cleanup.add("events", () => events.close());
  const witness = createWitnessKeeper({ directory: join(config.dataDir, "witness"), accepted: config.audit.witnessFor, logger });
  
  const auth = await openAuth({
    store,
    authorities,
    audit,
    clock,
    random,
    logger,
    preference: preferenceOf(config.authentication),
    gatewayNames: () => gatewayNames(config, hostId),
    publicUrls: () => reachOf({ config }, live).urls(),
    maxStaleness: config.maxStaleness,
    kubeClusters: () => live.kube?.clusters ?? [],
    onApplied: () => recheck(live),
    ...(deps.passwordCost === undefined ? {} : { passwordCost: deps.passwordCost }),
  });
  cleanup.add("auth", () => auth.close());
  const certificates = await openCertificates({ authorities, config, hostId, clock, logger });
  return { config, clock, random, logger, env, store, hostId, authorities, audit, recorder, sessions, events, witness, auth, certificates };
}

async function openKube(base: Base): Promise<KubeProxy | undefined> {
  const { config, auth, authorities, recorder, sessions, clock, logger, random, certificates, env } = base;
  if (!config.kubernetes.enabled) return undefined;
  const clusters = await openClusters(config.kubernetes, { logger, env, clusterName: config.clusterName, wait: checkWait });
  return createKubeProxy({
    clusters,
    gatekeeper: auth.gatekeeper,
    authorities,
    recorder,
    sessions,
    clock,
    logger,
    random,
    tls: certificates.host,
    clientIdleTimeout: config.clientIdleTimeout,
    ...(config.maxConnections === undefined ? {} : { serverLimits: { connections: config.maxConnections } }),
  });
}

/** Looks at everything under way anew. */
function recheck({ kube, ssh }: Live): StreamCheck {
  const looked = [kube, ssh].map((proxy) => proxy?.streams.recheck());
  const sum = (of: (one: StreamCheck) => number): number => looked.reduce((all, one) => all + (one === undefined ? 0 : of(one)), 0);
  return { checked: sum(({ checked }) => checked), ended: sum(({ ended }) => ended) };
}

function openSsh(base: Base, live: Live): SshProxy | undefined {
  const { config, auth, authorities, recorder, sessions, hostId, clock, logger, random, certificates } = base;
  if (!config.ssh.enabled) return undefined;
  const { dnsNames, ipAddresses } = hostNames(config, config.clusterName);
  return createSshProxy({
    nodes: auth.nodes,
    revocations: auth.revocations,
    gatekeeper: auth.gatekeeper,
    authorities,
    recorder,
    sessions,
    clock,
    logger,
    random,
    tls: certificates.host,
    serverId: hostId,
    nodeName: config.nodeName,
    hostNames: [...dnsNames, ...ipAddresses],
    mode: config.ssh.recording,
    sourceAddresses: config.ssh.sourceAddresses,
    clientIdleTimeout: config.clientIdleTimeout,
    adminAddress: () => live.adminAddress && dialable(live.adminAddress),
    ...(config.maxConnections === undefined ? {} : { limits: { connections: config.maxConnections }, serverLimits: { connections: config.maxConnections } }),
  });
}

/** How this machine itself reaches what listens there. */
function dialable({ address, port }: AddressInfo): { readonly host: string; readonly port: number } {
  return { host: isWildcard(address) ? (isIP(address) === 6 ? "::1" : "127.0.0.1") : address, port };
}

/** How people reach the gateway; true once it listens. */
function reachOf({ config }: Pick<Base, "config">, live: Live): { readonly url: () => string; readonly urls: () => readonly string[]; readonly kubeAddr: () => string | undefined; readonly sshAddr: () => string | undefined } {
  const web = (): { readonly host: string; readonly port: number } =>
    publicAddress(config.web.publicAddrs, { host: config.web.listen.host, port: live.web?.port ?? config.web.listen.port }, config.nodeName);
  const url = (): string => `https://${formatAddress(web().host, web().port)}`;
  return {
    url,
    urls: () => [...new Set([url(), ...config.web.publicAddrs.map(({ host, port }) => `https://${formatAddress(host, port)}`)])],
    sshAddr: () => {
      if (!live.ssh) return undefined;
      const { publicAddrs, listen } = config.ssh;
      const { host, port } = publicAddress(publicAddrs, { host: listen.host, port: live.sshAddress?.port ?? listen.port }, web().host);
      return formatAddress(host, port);
    },
    kubeAddr: () => {
      if (!live.kube) return undefined;
      const { publicAddrs, listen } = config.kubernetes;
      const bound = { host: listen.host, port: live.kubeAddress?.port ?? listen.port };
      // Bound everywhere, it is reached by the same name as the web.
      const { host, port } = publicAddress(publicAddrs, bound, web().host);
      return formatAddress(host, port);
    },
  };
}

function kubeViewOf(live: Live, kubeAddr: () => string | undefined): KubeView {
  const { kube, health } = live;
  return {
    enabled: kube !== undefined,
    publicAddr: kubeAddr(),
    defaultCluster: kube?.defaultCluster,
    clusters: (kube?.clusters ?? []).map((target) => {
      const check = health?.checks.find(({ cluster }) => cluster === target.name);
      const problem = check ? describeCheck(check) : "has not answered yet";
      return { target, healthy: problem === undefined, problem, summary: check?.summary };
    }),
    notes: kube?.notes ?? [],
    streams: kube?.streams.count ?? 0,
  };
}

function proxyFacts({ config }: Base, live: Live, reach: ReturnType<typeof reachOf>): ProxyFacts {
  const { listen, publicAddrs } = config.ssh;
  const [ssh] = publicAddrs;
  return {
    kube: { enabled: live.kube !== undefined, publicAddr: reach.kubeAddr() },
    ssh: {
      listenAddr: formatAddress(listen.host, live.sshAddress?.port ?? listen.port),
      publicAddr: new URL(reach.url()).host,
      sshPublicAddr: ssh && formatAddress(ssh.host, ssh.port),
    },
  };
}

/** The web and the admin application, over TLS and over the local socket. */
async function openApps(base: Base, live: Live, cleanup: Cleanup): Promise<Servers> {
  const { config, auth, authorities, audit, sessions, events, witness, clock, random, logger, certificates } = base;
  const reach = reachOf(base, live);
  const open = async (what: string, opening: Promise<App>): Promise<App> => {
    const app = await opening;
    cleanup.add(what, () => app.close());
    return app;
  };
  const web = await open(
    "web application",
    createWebApp({
      auth,
      authorities,
      loginSettings: createLoginSettings(auth, clock),
      facts: () => proxyFacts(base, live, reach),
      publicUrl: reach.url,
      localLogins: config.authentication.localAuth,
      ...(witness.names.length === 0 ? {} : { witness }),
      passwordRules: { minLength: passwordLength.min, maxBytes: passwordLength.max },
      clock,
      logger,
      random,
    }),
  );
  const library = openRecordingLibrary({ directory: join(config.dataDir, "log"), logger });
  const adminOptions = { sessions, auth, authorities, kube: () => kubeViewOf(live, reach.kubeAddr), publicUrl: reach.url, audit, events, library, witness, clock, logger, random };
  const admin = await open("admin application", createAdminApp(adminOptions, certificateCallers(authorities, auth.gatekeeper)));
  const nonce = await writeNonce(config.dataDir, random);
  const local = await open("local admin application", createAdminApp(adminOptions, localCaller(nonce)));
  const socket = await openAdminSocket(config.dataDir, local.handler);
  cleanup.add("admin socket", () => socket.close());
  const connections = config.maxConnections;
  return {
    web: createApiServer({ name: "web", handler: web.handler, tls: certificates.web, connections, logger }),
    admin: createApiServer({
      name: "admin",
      handler: admin.handler,
      tls: { ...certificates.host, clientAuthorities: authorities.trust("user").tlsCertificates },
      connections,
      logger,
    }),
    kube: live.kube?.server,
    ssh: live.ssh?.server,
  };
}

function openDiag(base: Base, live: Live, servers: Servers): Promise<Diagnostics> | undefined {
  const { config, store, audit, clock } = base;
  if (!config.diag) return undefined;
  const age = (): number => Math.max(0, clock.now() - store.feedReadAt());
  const connections = (): readonly { value: number; of: string }[] =>
    Object.entries(servers).flatMap(([of, server]: [string, Servers["kube"]]) => (server ? [{ value: server.connections, of }] : []));
  return openDiagnostics(config.diag.listen, {
    notReady: () => {
      if (live.draining) return "draining";
      return age() > config.maxStaleness ? "the store cannot be read" : undefined;
    },
    gauges: [
      { name: "connections", help: "Open connections by purpose", label: "purpose", read: connections },
      { name: "streams", help: "Live streams: upgraded connections, watches, followed logs, connections to hosts", read: () => [{ value: (live.kube?.streams.count ?? 0) + (live.ssh?.streams.count ?? 0) }] },
      { name: "ssh_connections", help: "Open connections of SSH itself, those that have not authenticated among them", read: () => [{ value: live.ssh?.connections ?? 0 }] },
      { name: "ssh_hosts", help: "Open connections to hosts", read: () => [{ value: live.ssh?.hosts ?? 0 }] },
      { name: "feed_age_seconds", help: "Since the store's change feed was last read", read: () => [{ value: age() / 1000 }] },
      { name: "audit_lines", help: "Lines of the audit log that this process wrote", read: () => [{ value: audit.status().chain.lines }] },
      {
        name: "audit_checkpoint_age_seconds",
        help: "Since the last checkpoint of the audit log was signed",
        read: () => [audit.status().checkpoint].flatMap((made) => (made ? [{ value: Math.max(0, clock.now() - made.time) / 1000 }] : [])),
      },
      { name: "audit_checkpoint_failing", help: "1 where the last checkpoint could not be made", read: () => [{ value: audit.status().problem === undefined ? 0 : 1 }] },
      {
        name: "audit_witness_lag_seconds",
        help: "Since the oldest checkpoint was signed that a witness does not have yet",
        label: "witness",
        read: () => audit.status().witnesses.map(({ name, lag }) => ({ value: lag / 1000, of: name })),
      },
      {
        name: "audit_witness_waiting",
        help: "Checkpoints that a witness does not have yet",
        label: "witness",
        read: () => audit.status().witnesses.map(({ name, waiting }) => ({ value: waiting, of: name })),
      },
      {
        name: "kubernetes_up",
        help: "1 where the gateway may impersonate",
        label: "cluster",
        read: () => (live.health?.checks ?? []).map((check) => ({ value: check.ok ? 1 : 0, of: check.cluster })),
      },
    ],
  });
}

function keepCertificates({ certificates, authorities }: Base, servers: Servers): () => void {
  return certificates.keepFresh(() => {
    const clientAuthorities = authorities.trust("user").tlsCertificates;
    servers.web.setTls(certificates.web);
    servers.admin.setTls({ ...certificates.host, clientAuthorities });
    servers.kube?.setTls({ ...certificates.host, clientAuthorities });
    servers.ssh?.setTls({ ...certificates.host, clientAuthorities });
  });
}

/**
 * Starts a gateway and resolves when it serves. Throws with the cause (a data directory in use, an address taken, a certificate that does not
 * fit, a kubeconfig that cannot be read) after closing whatever was open.
 */
export async function startGateway(config: GatewayConfig, deps: GatewayDependencies): Promise<Gateway> {
  const cleanup = createCleanup(deps.logger);
  const live: Live = { kube: undefined, ssh: undefined, health: undefined, web: undefined, kubeAddress: undefined, sshAddress: undefined, adminAddress: undefined, draining: false };
  /** How long closing may wait; set by whoever closes. */
  let drainMs = 0;
  try {
    const base = await openBase(config, deps, live, cleanup);
    const kube = await openKube(base);
    live.kube = kube;
    let kubeClosed: Promise<void> | undefined;
    const closeKube = (): Promise<void> => (kubeClosed ??= kube?.close({ drainMs }) ?? Promise.resolve());
    cleanup.add("kubernetes proxy", closeKube);
    const ssh = openSsh(base, live);
    live.ssh = ssh;
    let sshClosed: Promise<void> | undefined;
    const closeSsh = (): Promise<void> => (sshClosed ??= ssh?.close({ drainMs }) ?? Promise.resolve());
    cleanup.add("SSH proxy", closeSsh);
    const servers = await openApps(base, live, cleanup);
    const diag = await openDiag(base, live, servers);
    if (diag) cleanup.add("diagnostics", () => diag.close());
    cleanup.add("servers", async () => {
      // Together, so that none eats up another's time.
      await Promise.all([servers.web.close({ drainMs }), servers.admin.close({ drainMs }), closeKube(), closeSsh()]);
    });
    cleanup.add("certificates", keepCertificates(base, servers));

    const front = createFrontListener({ name: "web", route: routeOf(servers, config.clusterName), ...(ssh === undefined ? {} : { ssh: (socket) => ssh.accept(socket) }), logger: deps.logger });
    cleanup.add("front listener", () => front.close());
    if (servers.kube) live.kubeAddress = await servers.kube.listen(config.kubernetes.listen);
    const admin = await servers.admin.listen(config.admin.listen);
    live.adminAddress = admin;
    if (ssh) live.sshAddress = await ssh.listen(config.ssh.listen);
    const web = await front.listen(config.web.listen);
    live.web = web;
    if (kube) {
      const health = await watchKubeHealth(kube, checkWait, deps.logger);
      live.health = health;
      cleanup.add("kubernetes checks", () => health.close());
    }

    const reach = reachOf(base, live);
    const users = await base.auth.admin.get({ type: "local-admin" }, { kind: "user" }, { withSecrets: false });
    const addresses: GatewayAddresses = {
      web: formatAddress(web.address, web.port),
      admin: formatAddress(admin.address, admin.port),
      kube: live.kubeAddress && formatAddress(live.kubeAddress.address, live.kubeAddress.port),
      ssh: live.sshAddress && formatAddress(live.sshAddress.address, live.sshAddress.port),
      diag: diag && formatAddress(diag.address.address, diag.address.port),
    };
    let closing: Promise<void> | undefined;
    return {
      clusterName: config.clusterName,
      hostId: base.hostId,
      caPin: base.authorities.caPin,
      addresses,
      publicUrl: reach.url(),
      kubePublicAddr: reach.kubeAddr(),
      sshPublicAddr: reach.sshAddr(),
      get kubernetes() {
        return live.health?.checks ?? [];
      },
      get kubernetesNotes() {
        return live.kube?.notes ?? [];
      },
      firstStart: users.length === 0,
      close(options) {
        live.draining = true;
        drainMs = options.drainMs;
        closing ??= cleanup.run();
        return closing;
      },
    };
  } catch (error) {
    // What failed to start is what the caller must hear of; what fails to close besides is in the log.
    await cleanup.run().catch(() => undefined);
    throw error;
  }
}
