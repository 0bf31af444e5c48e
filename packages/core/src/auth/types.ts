import type { Decision, Interaction, KubeDecision, KubeTarget, NodeTarget, Reason, RoleSet, SessionView } from "../access/index.ts";
import type { SshLoginResponse } from "../api/index.ts";
import type { AuditLog } from "../audit/index.ts";
import type { Clock, Logger, Random } from "../base/index.ts";
import type { Authorities, CertificateIdentity } from "../ca/index.ts";
import type { ProviderTimeouts } from "../connectors/index.ts";
import type { HostJoins, NodeDirectory, Revocations } from "./nodes/index.ts";
import type { Headless } from "./headless/index.ts";
import type { ConsoleLogins, Links, MfaAdmin } from "./mfa-types.ts";
import type { MfaHashes } from "./mfa/index.ts";
import type { PasswordHashes } from "./passwords.ts";
import type { AuthPreference, Connector, JoinMethod, Resource, ResourceRef, Traits } from "../resources/index.ts";
import type { Store } from "../store/index.ts";

/** Where a request came from and what it was: what an audit event wants to know. */
export interface RequestOrigin {
  /** `ip:port` of the peer. */
  readonly remoteAddress: string;
  readonly localAddress?: string | undefined;
}

/** A person at request time: the certificate's identity as the cluster sees it now (DESIGN "What is true at request time"). */
export interface Identity {
  readonly username: string;
  readonly subjectId: string;
  readonly sessionId: string;
  readonly traits: Traits;
  /** Roles of the certificate that the stored user still has. */
  readonly roles: RoleSet;
  /** End of the certificate, ms since the epoch. */
  readonly expires: number;
}

/** Whoever calls the admin API: a person through a certificate, or the host's own administrator through the local socket. */
export type Caller = { readonly type: "person"; readonly identity: Identity } | { readonly type: "local-admin" };

/** A login that waits for its identity provider. */
export interface SsoStart {
  /** Address on this gateway that sets the login's cookie and goes on to the provider. */
  readonly redirectUrl: string;
}

/** Binds a login to one browser. */
export interface LoginCookie {
  readonly name: string;
  readonly value: string;
  /** The provider's page posts the answer: the cookie has to come with that. */
  readonly crossSite: boolean;
}

/** A person as listed for admins. */
export interface AdminItem {
  readonly resource: Resource;
  readonly revision: number;
  /** Of a token: hex of its digest, by the beginning of which it can be removed. */
  readonly id?: string | undefined;
}

/** Live streams of this gateway that a change concerned. */
export interface StreamCheck {
  readonly checked: number;
  readonly ended: number;
}

/** What an admin call changed. */
export interface AdminChange {
  readonly kind: string;
  readonly name: string;
  readonly outcome: "created" | "updated" | "unchanged" | "deleted";
  readonly revision: number;
  /** Live streams looked at and ended on this gateway because of it. */
  readonly streams: StreamCheck;
  /** What the administrator should know of it besides, a sentence each: a lock's user does not exist. */
  readonly notes?: readonly string[] | undefined;
}

/** Decides who a certificate is and what they may do, from memory. Never reads the store on a request. */
export interface Gatekeeper {
  /**
   * The person behind a verified certificate. Throws `unauthenticated` (session logged out, certificate expired: log in again) or
   * `access_denied` (user gone, another subject under the same name, locked, snapshot too stale: fail closed).
   */
  identify(certificate: CertificateIdentity): Identity;
  /** {@link RoleSet.kube}, remembered until the next change; refused where a lock is about this cluster. */
  kube(identity: Identity, target: KubeTarget): KubeDecision;
  /** {@link RoleSet.node}; refused where a lock is about this host or this login. */
  node(identity: Identity, target: NodeTarget, login: string): Decision;
  /**
   * The lock on one live session by its id, if there is one. `where` it runs: in a cluster, or on a host as a login. Locks on the person, the login session, the
   * cluster and the host are told by `identify`, `kube` and `node`.
   */
  sessionLock(identity: Identity, where: Pick<Interaction, "kubeCluster" | "node" | "login">, sid: string): Reason | undefined;
  /** Grows with every change that may alter a decision: callers may cache until it moves. */
  readonly generation: number;
  /** Called after every such change. Returns the function that stops it. */
  onChange(listener: () => void): () => void;
}

/** Local logins and SSO logins. `publicKey` is one `authorized_keys` line; `ttl` is in ms. */
export interface Logins {
  /** `POST /webapi/ssh/certs` (reference §1.6). Lockout and constant time inside; limits per address are the listener's. */
  local(request: {
    readonly user: string;
    readonly password: string;
    readonly otpToken: string;
    readonly publicKey: string;
    readonly ttl: number;
    readonly compatibility: string;
    readonly origin: RequestOrigin;
  }): Promise<SshLoginResponse>;
  /** `POST /webapi/{github,oidc,saml}/login/console` (reference §1.8). */
  startSso(request: {
    readonly kind: Connector["kind"];
    readonly connectorId: string;
    readonly clientRedirectUrl: string;
    readonly publicKey: string;
    readonly ttl: number;
    readonly compatibility: string;
    /** `name:port` that the caller came by, which chooses among several callback addresses. */
    readonly host?: string | undefined;
    readonly origin: RequestOrigin;
  }): Promise<SsoStart>;
  /**
   * The browser's first stop: binds the login to this browser. Returns the cookie to set and the provider's address; where the provider has to be asked for that and
   * cannot be, no cookie and the terminal's loopback address with the sealed error. Throws `access_denied` for a login that another browser has opened; the same
   * browser, known by its cookie, may open it again.
   */
  openSso(
    loginId: string,
    origin: RequestOrigin,
    cookies?: Readonly<Record<string, string | undefined>>,
  ): Promise<{ readonly cookie?: LoginCookie | undefined; readonly location: string }>;
  /**
   * The provider's callback. On success and on failure alike returns where the browser goes next: the terminal's loopback address with the sealed
   * answer or the sealed error, so that the terminal never waits; or, with a cookie to set, the page where a login elsewhere is decided about. Throws when the login is not known (no state, a bad one,
   * one used already), and where no terminal waits for it.
   */
  finishSso(request: {
    readonly kind: Connector["kind"];
    /** Parameters of the callback, each once: the query, or the fields of the form that SAML posts. */
    readonly parameters: Readonly<Record<string, string | undefined>>;
    readonly cookies: Readonly<Record<string, string | undefined>>;
    readonly origin: RequestOrigin;
  }): Promise<{ readonly location: string; readonly clearCookie: string; readonly cookie?: LoginCookie | undefined }>;
  /** XML that tells the provider of a SAML connector of this gateway: entity id, certificates, where answers go. Public. Throws `not_found`. */
  samlMetadata(connector: string): Promise<string>;
  /**
   * `POST /gatehouse/v1/join`: certificates of a bot, for an hour at most, for whoever brings a one-use token, or a job's JWT that one of a token's rules lets in.
   * Throws `access_denied` that names the rule that failed, `unavailable` where an issuer's keys cannot be had.
   */
  join(request: {
    readonly method: JoinMethod;
    /** Name of the token: a secret where it is the proof itself. */
    readonly token: string;
    readonly jwt: string | undefined;
    readonly publicKey: string;
    readonly ttl: number;
    readonly compatibility: string;
    readonly origin: RequestOrigin;
  }): Promise<SshLoginResponse>;
  /**
   * `POST /gatehouse/v1/renew`: new certificates of a login session for whoever brings its newest one, over the same key (`publicKey`, one `authorized_keys` line, proven by
   * the connection). With the roles and traits of the login that the user still has, for as long as the login asked, and never beyond its roles' `max_session_ttl` from the login on. Whoever brings the
   * one before the newest within a minute, or while nobody has used the newest, gets that generation again; else, and for one that is older still, the session ends. Throws, audited, `access_denied` where it is not to be renewed,
   * `unauthenticated` where the session is over.
   */
  renew(request: { readonly certificate: CertificateIdentity; readonly publicKey: string; readonly origin: RequestOrigin }): Promise<SshLoginResponse>;
  /** Ends a login session: its certificates are refused from now on. */
  logout(identity: Identity): Promise<void>;
}

/** What tctl does, each call checked against the caller's own rules and audited. */
export interface Admin {
  get(caller: Caller, ref: ResourceRef, options: { readonly withSecrets: boolean }): Promise<readonly AdminItem[]>;
  /** `create` refuses an existing one (`already_exists`), `upsert` overwrites, a revision updates that one alone (`compare_failed`). */
  put(caller: Caller, resource: Resource, mode: "create" | "upsert" | { readonly revision: number }): Promise<AdminChange>;
  remove(caller: Caller, ref: ResourceRef): Promise<AdminChange>;
  /** Creates a user and an invite; returns the one-use sign-up token. */
  inviteUser(caller: Caller, request: { readonly name: string; readonly roles: readonly string[]; readonly traits: Traits; readonly ttl: number }): Promise<{ readonly token: string; readonly expires: number }>;
  /** Takes the password and every second factor away; returns a one-use reset token. */
  resetUser(caller: Caller, name: string, ttl: number): Promise<{ readonly token: string; readonly expires: number }>;
  /**
   * Signs a public key (one `authorized_keys` line) as a user's, for `ttl` ms: a login session like any other. As long as the user's roles allow; the administrator
   * of the host may ask for more. Throws `not_found` for a user who does not exist.
   */
  signUser(
    caller: Caller,
    request: { readonly name: string; readonly publicKey: string; readonly ttl: number; readonly compatibility: string; readonly origin: RequestOrigin },
  ): Promise<SshLoginResponse>;
  /**
   * Signs a public key (one `authorized_keys` line) as that of hosts of these names; each name of one part also with the cluster's behind it. Needs the rule `host_cert: [create]`.
   * Throws `bad_parameter` for names that no host may have.
   */
  signHost(
    caller: Caller,
    request: { readonly names: readonly string[]; readonly publicKey: string; readonly ttl: number; readonly origin: RequestOrigin },
  ): Promise<{ readonly certificate: string; readonly principals: readonly string[]; readonly expires: number }>;
  /**
   * Begins a login through a connector as it is given, stored or not, that lets nobody in: the terminal gets an `SsoTestOutcome` instead of certificates. Needs the
   * rights to write the connector.
   */
  testConnector(caller: Caller, connector: Connector, request: { readonly clientRedirectUrl: string; readonly host?: string | undefined; readonly origin: RequestOrigin }): Promise<SsoStart>;
  /** Throws `access_denied`, audited, unless the caller's rules allow it. */
  requireRule(caller: Caller, kind: string, verb: string): Promise<void>;
  /** Throws `access_denied`, audited, unless there can be anything of this kind that the caller may do all of `verbs` to. */
  requireEver(caller: Caller, kind: string, verbs: readonly string[]): Promise<void>;
  explainRule(caller: Caller, kind: string, verb: string): Decision;
  /** Whether the caller may do `verb` to this event of the audit log; `where` sees its fields as `resource.spec`. */
  explainEvent(caller: Caller, verb: string, event: Readonly<Record<string, unknown>>): Decision;
  /** Whether the caller may do `verb` to this session. */
  explainSession(caller: Caller, verb: string, session: SessionView): Decision;
  /** Throws `access_denied`, audited, where the caller may not. */
  authorizeSession(caller: Caller, verb: string, session: SessionView): Promise<void>;
}

/** Cost of a password hash (argon2id); memory in KiB. */
export interface PasswordCost {
  readonly memoryCost: number;
  readonly timeCost: number;
  readonly parallelism: number;
}

/** What the auth service of one gateway is made of. */
export interface AuthOptions {
  readonly store: Store;
  readonly authorities: Authorities;
  readonly audit: AuditLog;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** `auth_service.authentication` of the config file; overwrites the stored preference at each start. */
  readonly preference: AuthPreference["spec"];
  /** ms; a snapshot that has not been known fresh for longer refuses everybody. */
  readonly maxStaleness: number;
  /** Called when an administrator's change is in force, before the answer: looks at the live streams it may concern. */
  readonly onApplied?: (() => StreamCheck | Promise<StreamCheck>) | undefined;
  /** The Kubernetes clusters behind this gateway, where there are any. */
  readonly kubeClusters?: (() => readonly KubeTarget[]) | undefined;
  readonly passwordCost?: PasswordCost | undefined;
  /** What this gateway is called, beside its cluster: no host may be called so. */
  readonly gatewayNames?: (() => readonly string[]) | undefined;
  /** `https://host:port` of the web pages, the one that people are sent to first; true once the gateway listens. */
  readonly publicUrls?: (() => readonly string[]) | undefined;
  /** For tests that count the work of a login. */
  readonly hashes?: { readonly password?: PasswordHashes | undefined; readonly mfa?: MfaHashes | undefined } | undefined;
  readonly providerTimeouts?: ProviderTimeouts | undefined;
}

/** The auth service of one gateway. */
export interface AuthService {
  readonly clusterName: string;
  readonly gatekeeper: Gatekeeper;
  /** The hosts behind this gateway. */
  readonly nodes: NodeDirectory;
  /** Hosts that join by themselves. */
  readonly hosts: HostJoins;
  readonly revocations: Revocations;
  readonly logins: Logins & ConsoleLogins;
  readonly headless: Headless;
  readonly admin: Admin;
  readonly links: Links;
  readonly mfa: MfaAdmin;
  close(): Promise<void>;
}
