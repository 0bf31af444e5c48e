import type { ClientRequest } from "node:http";
import { Agent, request as httpsRequest } from "node:https";
import { createSecureContext, type SecureContext } from "node:tls";
import { Pool, type Dispatcher } from "undici";
import { GatehouseError, errorMessage } from "@gatehouse/core/base";
import { parseProxyAddress, type LoginRecord } from "@gatehouse/core/client/lean";
import type { KubeProxyLimits, ProxiedCluster } from "./types.ts";

/** The gateway closes idle connections after two minutes; ours end well before, so that none is reused while it closes. */
const keepAlive = 60_000;
const maxAnswerHeaders = 256 * 1024;
/** How long what has begun with a login before the latest may still send its request, ms. */
const retireAfter = 30_000;

/** What one request is made of. `headers` are raw pairs without Host. */
export interface OutgoingRequest {
  readonly method: Dispatcher.HttpMethod;
  readonly path: string;
  readonly headers: readonly string[];
  readonly body: NonNullable<Dispatcher.DispatchOptions["body"]> | null;
}

function contextOf(record: LoginRecord): SecureContext {
  try {
    return createSecureContext({ key: record.privateKey, cert: record.tlsCertificate, ca: [...record.hostCertificates], minVersion: "TLSv1.2" });
  } catch (error) {
    throw new GatehouseError("unauthenticated", `the stored login cannot be used: ${errorMessage(error)}`, { hint: "log in again: tsh login", cause: error });
  }
}

/** Whether two logins are the same as far as a TLS connection knows. */
const isSame = (one: LoginRecord, other: LoginRecord): boolean => one === other || (one.tlsCertificate === other.tlsCertificate && one.hostCertificates.join("") === other.hostCertificates.join(""));

/** The ways to one cluster with one login: shared connections for requests, others for those that last, a fresh one for each upgrade. */
export class Way {
  readonly record: LoginRecord;
  readonly #gateway: string;
  readonly #secure: { readonly secureContext: SecureContext; readonly servername: string };
  readonly #short: Pool;
  readonly #long: Pool;
  readonly #agent = new Agent({ keepAlive: false, maxCachedSessions: 16 });

  /** Throws `unauthenticated` for a login that TLS cannot use. */
  constructor(record: LoginRecord, { serverName }: ProxiedCluster, gateway: string, { connections, longConnections, connectTimeout }: KubeProxyLimits) {
    this.record = record;
    this.#gateway = gateway;
    this.#secure = { secureContext: contextOf(record), servername: serverName };
    const options = {
      connect: { ...this.#secure, timeout: connectTimeout, ALPNProtocols: ["http/1.1"] },
      allowH2: false,
      pipelining: 1,
      keepAliveTimeout: keepAlive,
      keepAliveMaxTimeout: keepAlive,
      // How long an answer may take is the gateway's to say, and the client's.
      headersTimeout: 0,
      bodyTimeout: 0,
      maxHeaderSize: maxAnswerHeaders,
    };
    this.#short = new Pool(`https://${gateway}`, { ...options, connections });
    this.#long = new Pool(`https://${gateway}`, { ...options, connections: longConnections });
  }

  /** Sends a request; `long` ones get a connection of their own while they last. */
  dispatch(long: boolean, request: OutgoingRequest, handler: Dispatcher.DispatchHandler): void {
    (long ? this.#long : this.#short).dispatch({ ...request, headers: [...request.headers, "Host", this.#gateway], idempotent: false, blocking: false }, handler);
  }

  /** A request for an upgrade on a connection of its own, not sent until `end()`. */
  upgrade({ method, path, headers }: Omit<OutgoingRequest, "body">): ClientRequest {
    const { host, port } = parseProxyAddress(this.#gateway);
    return httpsRequest({ ...this.#secure, agent: this.#agent, host, port, method, path, headers: ["Host", this.#gateway, ...headers], maxHeaderSize: maxAnswerHeaders });
  }

  /** Lets what is under way end by itself. */
  async drain(): Promise<void> {
    await Promise.all([this.#short.close(), this.#long.close()]);
  }

  /** Ends every connection, and what is still under way on it. */
  async close(): Promise<void> {
    this.#agent.destroy();
    await Promise.all([this.#short.destroy(), this.#long.destroy()]);
  }
}

/** One cluster at the gateway. Where the login changes, what comes next goes with the new one, and what is under way ends by itself. */
export class GatewayRoute {
  readonly cluster: ProxiedCluster;
  readonly gateway: string;
  readonly #limits: KubeProxyLimits;
  #way: Way | undefined;
  readonly #retired = new Map<Way, NodeJS.Timeout>();

  constructor(cluster: ProxiedCluster, gateway: string, limits: KubeProxyLimits) {
    this.cluster = cluster;
    this.gateway = gateway;
    this.#limits = limits;
  }

  /** The way with this login. Throws `unauthenticated` for one that TLS cannot use. */
  with(record: LoginRecord): Way {
    const before = this.#way;
    if (before !== undefined && isSame(before.record, record)) return before;
    this.#way = new Way(record, this.cluster, this.gateway, this.#limits);
    if (before !== undefined) this.#retire(before);
    return this.#way;
  }

  async close(): Promise<void> {
    const ways = [...(this.#way ? [this.#way] : []), ...this.#retired.keys()];
    for (const timer of this.#retired.values()) clearTimeout(timer);
    this.#way = undefined;
    this.#retired.clear();
    await Promise.all(ways.map((way) => way.close()));
  }

  #retire(way: Way): void {
    const gone = (): void => void this.#retired.delete(way);
    this.#retired.set(way, setTimeout(() => void way.drain().then(gone, gone), retireAfter).unref());
  }
}
