import { Agent, request as httpsRequest } from "node:https";
import type { ClientRequest } from "node:http";
import { createSecureContext } from "node:tls";
import type { SecureContext } from "node:tls";
import { Pool } from "undici";
import type { Dispatcher } from "undici";
import type { KubeTarget } from "../../access/index.ts";
import { GatehouseError, errorMessage } from "../../base/index.ts";
import type { KubeLimits, KubeUpstream } from "./types.ts";

/** Defaults of {@link KubeLimits}. */
export const defaultLimits: KubeLimits = { requests: 1024, longRequests: 8192, streams: 8192, connectTimeout: 10_000, answerTimeout: 300_000, upgradeTimeout: 60_000 };

/** API servers keep idle connections for 90 s (Go's default in k8s.io/apiserver); ours end well before, so that none is reused while it closes. */
const keepAlive = 30_000;

/** The ways to one API server: pooled connections for requests, others for watches, fresh ones for upgrades. */
export class Upstream {
  readonly name: string;
  readonly target: KubeTarget;
  readonly limits: KubeLimits;
  /** `host:port`, for the Host header and audit events. */
  readonly host: string;
  /** Under way now. */
  requests = 0;
  longRequests = 0;
  streams = 0;
  readonly #config: KubeUpstream;
  readonly #short: Pool;
  readonly #long: Pool;
  readonly #agent: Agent;
  readonly #prefix: string;
  readonly #hostname: string;
  readonly #port: number;
  readonly #secure: { readonly secureContext: SecureContext; readonly rejectUnauthorized: boolean; readonly servername?: string };

  constructor(config: KubeUpstream, limits: Partial<KubeLimits> = {}) {
    this.name = config.name;
    this.target = { name: config.name, labels: config.labels };
    this.limits = { ...defaultLimits, ...limits };
    this.#config = config;
    const url = parseUrl(config);
    this.host = url.host;
    this.#hostname = url.hostname.replace(/^\[|\]$/g, "");
    this.#port = url.port === "" ? 443 : Number(url.port);
    this.#prefix = url.pathname.replace(/\/+$/, "");
    this.#secure = {
      // One context for all connections: the authorities are parsed once and not kept once per stream.
      secureContext: contextOf(config),
      rejectUnauthorized: !config.insecureSkipTlsVerify,
      ...(config.serverName === undefined ? {} : { servername: config.serverName }),
    };
    const pool = {
      connect: { ...this.#secure, timeout: this.limits.connectTimeout, ALPNProtocols: ["http/1.1"] },
      allowH2: false,
      pipelining: 1,
      keepAliveTimeout: keepAlive,
      keepAliveMaxTimeout: keepAlive,
      bodyTimeout: 0,
      maxHeaderSize: 256 * 1024,
    };
    this.#short = new Pool(url.origin, { ...pool, connections: this.limits.requests, headersTimeout: this.limits.answerTimeout });
    this.#long = new Pool(url.origin, { ...pool, connections: this.limits.longRequests, headersTimeout: 0 });
    this.#agent = new Agent({ keepAlive: false, maxCachedSessions: 16 });
  }

  /** Sends a request; `long` ones (watches, followed logs) get connections of their own. */
  dispatch(long: boolean, method: string, target: string, headers: readonly string[], body: Dispatcher.DispatchOptions["body"], handler: Dispatcher.DispatchHandler): void {
    const pool = long ? this.#long : this.#short;
    pool.dispatch({ path: this.#prefix + target, method, headers: this.#authorized(headers), body: body ?? null, idempotent: false, blocking: false }, handler);
  }

  /** A request for an upgrade on a connection of its own; `headers` are raw pairs without Host. Not sent until `end()`. */
  upgrade(method: string, target: string, headers: readonly string[]): ClientRequest {
    return httpsRequest({
      ...this.#secure,
      agent: this.#agent,
      host: this.#hostname,
      port: this.#port,
      method,
      path: this.#prefix + target,
      headers: [...this.#authorized(headers), "Host", this.host],
      maxHeaderSize: 256 * 1024,
    });
  }

  /** Called when the API server answered 401: its credentials may have been rotated. */
  refreshCredentials(): void {
    this.#config.token?.refresh();
  }

  /** Ends every connection, and what is still under way on it. */
  async close(): Promise<void> {
    this.#config.token?.close();
    this.#agent.destroy();
    await Promise.all([this.#short.destroy(), this.#long.destroy()]);
  }

  #authorized(headers: readonly string[]): string[] {
    const token = this.#config.token?.current();
    return token === undefined || token === "" ? (headers as string[]) : [...headers, "Authorization", `Bearer ${token}`];
  }
}

function parseUrl(config: KubeUpstream): URL {
  const url = URL.canParse(config.url) ? new URL(config.url) : undefined;
  if (url?.protocol !== "https:" || url.username !== "" || url.search !== "") {
    throw new GatehouseError("bad_parameter", `Kubernetes cluster "${config.name}" has the server address ${JSON.stringify(config.url)}, which is not https://host:port`);
  }
  return url;
}

function contextOf(config: KubeUpstream): SecureContext {
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
