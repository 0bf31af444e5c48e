import type { Socket } from "node:net";
import { join } from "node:path";
import { openOwnFolder, type OwnFolder } from "@gatehouse/core/client/lean";
import { createLocalAuthority, type LocalAuthority, type LocalIssue } from "./credentials.ts";
import { createHandlers } from "./handlers.ts";
import { renewLocalKubeconfig, writeLocalKubeconfig } from "./kubeconfig.ts";
import { listenWhereFree } from "./listen.ts";
import { createPortListener, createSocketListener, type LocalListener } from "./listener.ts";
import { prefixOf } from "./paths.ts";
import { RequestLog } from "./requests.ts";
import { GatewayRoute } from "./route.ts";
import type { KubeProxy, KubeProxyLimits, KubeProxyOptions, ServedCluster } from "./types.ts";

const defaultLimits: KubeProxyLimits = { connections: 16, longConnections: 1024, requests: 2048, headerSize: 256 * 1024, connectTimeout: 10_000 };
/** Age of the kubeconfig's certificate at which it gets a new one, ms: each is good for a week. */
const renewAfter = 24 * 3_600_000;
/** How often that is looked at, ms: machines sleep. */
const renewalCheck = 600_000;

/** The run of a proxy that listens on a port: a folder with the kubeconfig for it, kept good. */
interface Run {
  readonly kubeconfig: string;
  end(): Promise<void>;
}

async function openRun(options: KubeProxyOptions, clusters: readonly ServedCluster[], authority: LocalAuthority, first: LocalIssue, listener: LocalListener): Promise<Run> {
  const { clock, runs, selected } = options;
  const folder: OwnFolder = await openOwnFolder(runs);
  const kubeconfig = join(folder.path, "kubeconfig");
  await writeLocalKubeconfig(kubeconfig, { clusters, selected, authority: authority.certificate, client: first.client });
  let written = first.client;
  let writtenAt = clock.now();
  const renew = async (): Promise<void> => {
    const next = authority.issue();
    writtenAt = clock.now();
    listener.renew(next.server);
    await renewLocalKubeconfig(kubeconfig, written, next.client);
    written = next.client;
  };
  const timer = setInterval(() => {
    // What is in the file stays good for days: a full disk is no reason to stop, and the next attempt comes by itself.
    if (clock.now() - writtenAt >= renewAfter) renew().catch(() => undefined);
  }, renewalCheck).unref();
  return {
    kubeconfig,
    async end() {
      clearInterval(timer);
      await folder.remove();
    },
  };
}

/**
 * Starts a local Kubernetes proxy. Throws `bad_parameter` where it cannot listen, `access_denied` and `already_exists` for the place of a socket, `internal` where
 * its folder cannot be written.
 */
export async function startKubeProxy(options: KubeProxyOptions): Promise<KubeProxy> {
  const limits = { ...defaultLimits, ...options.limits };
  const { clusters, clock, gateway, listen, random } = options;
  const requests = new RequestLog(clock);
  const routes = new Map(clusters.map((cluster) => [cluster.name, new GatewayRoute(cluster, gateway, limits)]));
  const endOf = (socket: Socket): number | undefined => listener.endOf(socket);
  const { handlers, upgraded } = createHandlers({ options, limits, routes, requests, endOf });
  const authority = "socket" in listen ? undefined : createLocalAuthority(clock, random);
  const issued = authority?.issue();
  const listener = authority && issued ? createPortListener(handlers, authority, issued.server, limits.headerSize) : createSocketListener(handlers, limits.headerSize);
  const address = await listenWhereFree(listener.server, listen);
  const base = authority ? `https://${address}` : "";
  const served = clusters.map((cluster) => ({ ...cluster, server: `${base}${prefixOf(cluster, clusters)}` }));
  let run: Run | undefined;
  const close = async (): Promise<void> => {
    // A socket's path goes with its server.
    const closed = new Promise<void>((resolve) => listener.server.close(() => resolve()));
    listener.server.closeAllConnections();
    for (const socket of upgraded) socket.destroy();
    await Promise.all([...routes.values()].map((route) => route.close()));
    await closed;
    await run?.end();
  };
  try {
    if (authority && issued) run = await openRun(options, served, authority, issued, listener);
  } catch (error) {
    await close();
    throw error;
  }
  return { address, kubeconfig: run?.kubeconfig, clusters: served, requests, close };
}
