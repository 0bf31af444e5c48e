import { join } from "node:path";
import { openRecordingLibrary } from "../../audit/index.ts";
import { passwordLength } from "../../auth/index.ts";
import type { GatewayConfig } from "../../config/index.ts";
import { certificateCallers, createAdminApp, localCaller, openAdminSocket, writeNonce, type KubeView } from "../admin/index.ts";
import type { App } from "../http/index.ts";
import { createFrontListener } from "../listener/index.ts";
import { createWebApp } from "../web/index.ts";
import { formatAddress } from "./addresses.ts";
import { openBase } from "./base.ts";
import { createCleanup, type Cleanup } from "./cleanup.ts";
import { openDiagnostics, type Diagnostics } from "./diagnostics.ts";
import { describeCheck, watchKubeHealth } from "./kube-health.ts";
import { createLoginSettings } from "./login-settings.ts";
import { startWait, type Base, type Live } from "./parts.ts";
import { openKube, openSsh } from "./proxies.ts";
import { proxyFacts, reachOf } from "./reach.ts";
import { createApiServer, routeOf, type Servers } from "./servers.ts";
import type { Gateway, GatewayAddresses, GatewayDependencies } from "./types.ts";

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
      const health = await watchKubeHealth(kube, startWait, deps.logger);
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
