import { createHash } from "node:crypto";
import type { TLSSocket } from "node:tls";
import { aboutCluster } from "../../access/index.ts";
import type { KubeDecision } from "../../access/index.ts";
import { parseKubeServerName } from "../../api/index.ts";
import type { Gatekeeper, Identity } from "../../auth/index.ts";
import { GatehouseError, toGatehouseError } from "../../base/index.ts";
import type { Clock } from "../../base/index.ts";
import type { Authorities, CertificateIdentity } from "../../ca/index.ts";
import { impersonationHeaders } from "./impersonation.ts";
import type { Impersonated } from "./impersonation.ts";
import { Refusal, failureOf } from "./status.ts";
import type { Upstream } from "./upstream.ts";

/** What connections look things up in. */
export interface ConnectionContext {
  readonly authorities: Authorities;
  readonly gatekeeper: Gatekeeper;
  readonly clock: Clock;
  readonly upstreams: ReadonlyMap<string, Upstream>;
  /** The cluster for connections whose server name chooses none; undefined where they must choose. */
  readonly defaultCluster: () => string | undefined;
}

/** Who a connection's certificate is now, and what they may be in its cluster. */
export interface Principal {
  readonly identity: Identity;
  readonly decision: KubeDecision;
  /** Groups as they are impersonated, `system:authenticated` among them. */
  readonly groups: readonly string[];
  /** User names that they may be impersonated as; of several the client chooses. */
  readonly users: readonly string[];
  /** How they are impersonated where the client asks for nothing; undefined where it has to choose a user. */
  readonly usual: Impersonated | undefined;
}

/** How long a decision is used without asking again, ms: bounds what depends on time alone (a session's end, a stale snapshot). */
const decisionAge = 200;

/** One client connection: its certificate, its cluster, and the decision about them, remembered until something changed. */
export class Connection {
  readonly remoteAddress: string;
  readonly localAddress: string;
  /** Name of the cluster that the connection chose; there may be none of that name. */
  readonly clusterName: string;
  /**
   * What to call when the client is gone, for each request under way. Node tells only the first of pipelined requests, and none of those before
   * an upgrade.
   */
  readonly underWay = new Set<() => void>();
  /** A request was refused for want of a good certificate: no other is looked at, and the connection closes. */
  turnedAway = false;
  readonly #context: ConnectionContext;
  readonly #der: Buffer | undefined;
  readonly #ip: string;
  #certificateId: string | undefined;
  #certificate: CertificateIdentity | undefined;
  #trust: readonly string[] = [];
  #principal: Principal | undefined;
  #generation = -1;
  #decidedAt = 0;

  constructor(context: ConnectionContext, socket: TLSSocket) {
    this.#context = context;
    this.#ip = socket.remoteAddress ?? "";
    this.remoteAddress = `${this.#ip}:${String(socket.remotePort ?? 0)}`;
    this.localAddress = `${socket.localAddress ?? ""}:${String(socket.localPort ?? 0)}`;
    this.#der = socket.getPeerX509Certificate()?.raw;
    const serverName: unknown = Reflect.get(socket, "servername");
    this.clusterName = (typeof serverName === "string" ? parseKubeServerName(serverName) : undefined) ?? context.defaultCluster() ?? "";
    socket.once("close", () => {
      for (const gone of [...this.underWay]) gone();
    });
  }

  /** The cluster as it is now; undefined where there is none of that name. */
  get upstream(): Upstream | undefined {
    return this.#context.upstreams.get(this.clusterName);
  }

  /** Why there is no cluster for this connection. */
  noCluster(): Refusal {
    return new Refusal(404, this.clusterName === "" ? "this gateway has several Kubernetes clusters and none that is the default: choose one with tsh kube login" : `there is no Kubernetes cluster "${this.clusterName}" here`);
  }

  /** Tells connections of one certificate from all others; undefined without one. */
  get certificateId(): string | undefined {
    return this.#der && (this.#certificateId ??= createHash("sha256").update(this.#der).digest("base64"));
  }

  /** Name on the certificate, for the audit event of a refusal; undefined until a certificate was good. */
  get username(): string | undefined {
    return this.#certificate?.username;
  }

  /**
   * The person behind this connection, decided now. Throws {@link Refusal}: 401 for a certificate that is missing, not good or past its
   * end, 403 for a person who may not, 404 for a cluster that is not there.
   */
  principal(): Principal {
    const { clock, gatekeeper } = this.#context;
    const now = clock.now();
    if (
      this.#principal !== undefined &&
      this.#generation === gatekeeper.generation &&
      now - this.#decidedAt < decisionAge &&
      now >= this.#decidedAt &&
      now < this.#principal.identity.expires &&
      now < (this.#certificate?.notAfter ?? 0)
    ) {
      return this.#principal;
    }
    this.#principal = undefined;
    const generation = gatekeeper.generation;
    const principal = this.#decide(now);
    this.#principal = principal;
    this.#generation = generation;
    this.#decidedAt = now;
    return principal;
  }

  #decide(now: number): Principal {
    const identity = this.#identify(now);
    const { upstream } = this;
    if (upstream === undefined) throw this.noCluster();
    const decision = this.#context.gatekeeper.kube(identity, upstream.target);
    if (!decision.allowed || decision.groups.length === 0) {
      const [reason] = decision.reasons;
      if (reason?.lock !== undefined) throw new Refusal(403, reason.text, reason.lock);
      throw new Refusal(403, `${identity.username} may not use Kubernetes cluster "${this.clusterName}"${reason === undefined ? "" : `: ${aboutCluster(reason.text, this.clusterName)}`}`);
    }
    const groups = decision.groups.includes(authenticated) ? decision.groups : [...decision.groups, authenticated];
    const users = decision.users.length > 0 ? decision.users : [identity.username];
    const [user = "", ...others] = users;
    return { identity, decision, groups, users, usual: others.length === 0 ? this.impersonate(user, groups) : undefined };
  }

  /** What makes the API server take this request as this user's. */
  impersonate(user: string, groups: readonly string[]): Impersonated {
    return { user, groups, headers: impersonationHeaders(user, groups, this.#ip) };
  }

  #identify(now: number): Identity {
    try {
      return this.#context.gatekeeper.identify(this.#verified(now));
    } catch (error) {
      if (error instanceof Refusal) throw error;
      const known = toGatehouseError(error);
      if (known.code === "internal") throw error;
      const { code, message, lock } = failureOf(known);
      throw new Refusal(code, message, lock);
    }
  }

  /** The certificate, verified against the authorities as they are now. */
  #verified(now: number): CertificateIdentity {
    if (this.#der === undefined) {
      throw new GatehouseError("unauthenticated", "the gateway needs a client certificate and got none", { hint: "log in with tsh login" });
    }
    if (this.#certificate !== undefined && now >= this.#certificate.notAfter) {
      throw new GatehouseError("unauthenticated", `your certificate expired at ${new Date(this.#certificate.notAfter).toISOString().replace(".000Z", "Z")}`, { hint: "log in again: tsh login" });
    }
    const trust = this.#context.authorities.trust("user").tlsCertificates;
    const sameTrust = trust.length === this.#trust.length && trust.every((one, index) => one === this.#trust[index]);
    if (this.#certificate === undefined || !sameTrust || now < this.#certificate.notBefore) {
      this.#certificate = undefined;
      this.#certificate = this.#context.authorities.identifyUser(this.#der);
      this.#trust = trust;
    }
    return this.#certificate;
  }
}

/** The group that every authenticated user has in Kubernetes. */
export const authenticated = "system:authenticated";
