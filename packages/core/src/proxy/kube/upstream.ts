import { Agent, request as httpsRequest } from "node:https";
import type { ClientRequest } from "node:http";
import { createSecureContext } from "node:tls";
import type { SecureContext } from "node:tls";
import { Pool } from "undici";
import type { Dispatcher } from "undici";
import type { KubeTarget } from "../../access/index.ts";
import { GatehouseError, errorMessage } from "../../base/index.ts";
import { StreamSupport, askVersion } from "./translate/index.ts";
import type { ClusterProblem, KubeCluster, KubeLimits, KubeUpstream } from "./types.ts";

/** Defaults of {@link KubeLimits}. */
export const defaultLimits: KubeLimits = { requests: 1024, longRequests: 8192, streams: 8192, connectTimeout: 10_000, answerTimeout: 300_000, upgradeTimeout: 60_000 };

/** API servers keep idle connections for 90 s (Go's default in k8s.io/apiserver); ours end well before, so that none is reused while it closes. */
const keepAlive = 30_000;

/** The ways to one API server with one set of credentials: pooled connections for requests, others for watches, fresh ones for upgrades. */
interface Route {
  readonly config: KubeUpstream;
  readonly url: URL;
  /** Path of the server's address, without a slash at its end. */
  readonly prefix: string;
  readonly short: Pool;
  readonly long: Pool;
  readonly agent: Agent;
  readonly secure: { readonly secureContext: SecureContext; readonly rejectUnauthorized: boolean; readonly servername?: string };
}

/** Throws `bad_parameter` for an address or credentials that cannot be used. */
export function checkUpstream(config: KubeUpstream): void {
  parseUrl(config);
  contextOf(config);
}

function routeTo(config: KubeUpstream, limits: KubeLimits): Route {
  const url = parseUrl(config);
  const secure = {
    // One context for all connections: the authorities are parsed once and not kept once per stream.
    secureContext: contextOf(config),
    rejectUnauthorized: !config.insecureSkipTlsVerify,
    ...(config.serverName === undefined ? {} : { servername: config.serverName }),
  };
  const pool = {
    connect: { ...secure, timeout: limits.connectTimeout, ALPNProtocols: ["http/1.1"] },
    allowH2: false,
    pipelining: 1,
    keepAliveTimeout: keepAlive,
    keepAliveMaxTimeout: keepAlive,
    bodyTimeout: 0,
    maxHeaderSize: 256 * 1024,
  };
  return {
    config,
    url,
    prefix: url.pathname.replace(/\/+$/, ""),
    secure,
    short: new Pool(url.origin, { ...pool, connections: limits.requests, headersTimeout: limits.answerTimeout }),
    long: new Pool(url.origin, { ...pool, connections: limits.longRequests, headersTimeout: 0 }),
    agent: new Agent({ keepAlive: false, maxCachedSessions: 16 }),
  };
}

/** One cluster of the proxy. Its credentials may change: what is under way goes on with those that it began with. */
export class Upstream {
  readonly name: string;
  readonly target: KubeTarget;
  readonly limits: KubeLimits;
  /** Which of kubectl's streams the API server speaks itself. */
  streamSupport = new StreamSupport(() => askVersion(this));
  /** Under way now. */
  requests = 0;
  longRequests = 0;
  streams = 0;
  #route: Route | undefined;
  #problem: ClusterProblem | undefined;
  readonly #retired = new Set<Route>();

  constructor(cluster: KubeCluster, limits: Partial<KubeLimits> = {}) {
    this.name = cluster.name;
    this.target = { name: cluster.name, labels: cluster.labels };
    this.limits = { ...defaultLimits, ...limits };
    this.update(cluster);
  }

  /** Takes the cluster as it is now: what comes next goes with its credentials, or is refused. Throws what {@link checkUpstream} throws. */
  update({ upstream, problem }: KubeCluster): void {
    this.#problem = upstream === undefined ? (problem ?? unknownProblem) : undefined;
    if (upstream === this.#route?.config) return;
    const route = upstream && routeTo(upstream, this.limits);
    const before = this.#route;
    this.#route = route;
    if (route?.url.href !== before?.url.href) this.streamSupport = new StreamSupport(() => askVersion(this));
    if (before) this.#retire(before);
  }

  /** Why nothing can be sent now; undefined where something can. */
  get problem(): ClusterProblem | undefined {
    return this.#problem;
  }

  /** `host:port`, for the Host header and audit events; empty where there is none. */
  get host(): string {
    return this.#route?.url.host ?? "";
  }

  /** Sends a request; `long` ones (watches, followed logs) get connections of their own. */
  dispatch(long: boolean, method: string, target: string, headers: readonly string[], body: Dispatcher.DispatchOptions["body"], handler: Dispatcher.DispatchHandler): void {
    const route = this.#usable();
    const pool = long ? route.long : route.short;
    pool.dispatch({ path: route.prefix + target, method, headers: authorized(route, headers), body: body ?? null, idempotent: false, blocking: false }, handler);
  }

  /** A request for an upgrade on a connection of its own; `headers` are raw pairs without Host. Not sent until `end()`. */
  upgrade(method: string, target: string, headers: readonly string[]): ClientRequest {
    const route = this.#usable();
    const { agent, secure, url } = route;
    return httpsRequest({
      ...secure,
      agent,
      host: url.hostname.replace(/^\[|\]$/g, ""),
      port: url.port === "" ? 443 : Number(url.port),
      method,
      path: route.prefix + target,
      headers: [...authorized(route, headers), "Host", url.host],
      maxHeaderSize: 256 * 1024,
    });
  }

  /** Called when the API server answered 401: its credentials may have been rotated. */
  refreshCredentials(): void {
    this.#route?.config.token?.refresh();
  }

  /** Ends every connection, and what is still under way on it. */
  async close(): Promise<void> {
    const routes = [...(this.#route ? [this.#route] : []), ...this.#retired];
    this.#problem = { summary: "it is not served any more", detail: "it is not served any more" };
    this.#route = undefined;
    await Promise.all(routes.map(closeNow));
  }

  #usable(): Route {
    if (this.#route) return this.#route;
    throw new GatehouseError("unavailable", `Kubernetes cluster "${this.name}" cannot be used now: ${this.#problem?.summary ?? unknownProblem.summary}`);
  }

  /** Lets what is under way end by itself. */
  #retire(route: Route): void {
    this.#retired.add(route);
    route.config.token?.close();
    const gone = (): void => void this.#retired.delete(route);
    Promise.all([route.short.close(), route.long.close()]).then(gone, gone);
  }
}

const unknownProblem: ClusterProblem = { summary: "its credentials have not been read yet", detail: "its credentials have not been read yet" };

async function closeNow({ agent, config, long, short }: Route): Promise<void> {
  config.token?.close();
  agent.destroy();
  await Promise.all([short.destroy(), long.destroy()]);
}

function authorized({ config }: Route, headers: readonly string[]): string[] {
  const token = config.token?.current();
  return token === undefined || token === "" ? (headers as string[]) : [...headers, "Authorization", `Bearer ${token}`];
}

function parseUrl(config: KubeUpstream): URL {
  const url = URL.canParse(config.url) ? new URL(config.url) : undefined;
  if (url?.protocol !== "https:" || url.username !== "" || url.search !== "") {
    throw new GatehouseError("bad_parameter", `Kubernetes cluster "${config.name}" has the server address ${JSON.stringify(config.url)}, which is not https://host:port`);
  }
  return url;
}

function contextOf(config: KubeUpstream): SecureContext {
  // Node takes any text for authorities, and then trusts nobody.
  if (config.ca !== undefined && !config.ca.includes("-----BEGIN CERTIFICATE-----")) {
    throw new GatehouseError("bad_parameter", `the certificate authority of Kubernetes cluster "${config.name}" cannot be used: it is no certificate in PEM`);
  }
  try {
    return createSecureContext({
      ...(config.ca === undefined ? {} : { ca: config.ca }),
      ...(config.certificate === undefined ? {} : { cert: config.certificate.cert, key: config.certificate.key }),
      minVersion: "TLSv1.2",
    });
  } catch (error) {
    throw new GatehouseError("bad_parameter", `the credentials for Kubernetes cluster "${config.name}" cannot be used: ${errorMessage(error)}`, { cause: error });
  }
}
