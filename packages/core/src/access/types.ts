import type { CertificateRenewal, LockTarget } from "../resources/index.ts";

/** Why: which role, which line of it, in words. */
export interface Reason {
  readonly effect: "allow" | "deny";
  /** Role name, or `default-implicit-role`. */
  readonly role: string;
  /** Path in the role: `spec.allow.kubernetes_groups[1]`. */
  readonly path: string;
  /** Line of that path in the role as `tctl get` prints it; absent for the implicit role. */
  readonly line: number | undefined;
  /** One sentence for people, no full stop. */
  readonly text: string;
  /** Name of the lock that refuses, where it is one; then no role has a part in it. */
  readonly lock?: string | undefined;
}

/** A decision with its reasons: the first is the one that decided. */
export interface Decision {
  readonly allowed: boolean;
  readonly reasons: readonly Reason[];
}

/** A host as access sees it. */
export interface NodeTarget {
  readonly id: string;
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
}

/** A lock as it is enforced. */
export interface ActiveLock {
  readonly name: string;
  readonly target: LockTarget;
  readonly message: string | undefined;
  /** ms since the epoch, infinity for one that stays; it counts until then, and not at that moment. */
  readonly expires: number;
  /** Parts of it cannot be read by this version: it counts for whomever the rest names. */
  readonly unreadable: boolean;
}

/** What happens, as locks see it. What is absent here is matched by no lock that names it. */
export interface Interaction {
  readonly user: string;
  /** Roles that count now. */
  readonly roles: readonly string[];
  /** Ids of the login session and of the live session. */
  readonly sessions: readonly string[];
  readonly login?: string | undefined;
  /** Names that the host goes by. */
  readonly node?: readonly string[] | undefined;
  readonly kubeCluster?: string | undefined;
}

/** A Kubernetes cluster as access sees it. */
export interface KubeTarget {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
}

/** What a person may be in one Kubernetes cluster. */
export interface KubeDecision extends Decision {
  /** Groups to impersonate (without `system:authenticated`), sorted; empty means refused. */
  readonly groups: readonly string[];
  /** User names to impersonate, sorted; empty: the person's own name alone. Of several the client has to choose. */
  readonly users: readonly string[];
  /** Lets `proxy` of nodes pass. */
  readonly nodeProxy: boolean;
}

/** A session as a `where` expression sees it: `session.user`, `session.participants`, … What does not apply to its protocol is empty. */
export interface SessionView {
  readonly sid: string;
  /** `kube` or `ssh`. */
  readonly proto: string;
  readonly kind: string;
  /** Who opened it. */
  readonly user: string;
  /** Everybody who took part, the opener first. */
  readonly participants: readonly string[];
  /** Kubernetes cluster. */
  readonly cluster: string;
  readonly namespace: string;
  readonly pod: string;
  readonly container: string;
  /** User name on the host. */
  readonly login: string;
  /** Name of the host. */
  readonly node: string;
}

/** What a `where` expression can see. */
export interface RuleContext {
  readonly user: { readonly metadata: { readonly name: string }; readonly spec: { readonly roles: readonly string[]; readonly traits: Readonly<Record<string, readonly string[]>> } };
  /** The resource concerned, as it is written in YAML; absent for lists. */
  readonly resource?: unknown;
  /** The session concerned; absent where none is. */
  readonly session?: SessionView | undefined;
}

/** Options over all roles of a person. Durations in ms; 0 means none. */
export interface EffectiveOptions {
  readonly forwardAgent: boolean;
  /** Whether a login may be approved in a browser elsewhere. */
  readonly headlessLogin: boolean;
  /** `off` where one role says so, else `any` where one does, else `local`. */
  readonly certificateRenewal: CertificateRenewal;
  readonly portForwarding: boolean;
  readonly clientIdleTimeout: number;
  readonly disconnectExpiredCert: boolean;
  readonly certFormat: "standard" | "oldssh";
  /** Input is recorded too: one role is enough to say so. */
  readonly recordStdin: boolean;
  /** Sessions at once; the smallest of the roles', 0 means any number. */
  readonly maxSessions: number;
  /** `strict` where one role says so, `best_effort` where only that is said; undefined: as the cluster says. */
  readonly recordSession: "strict" | "best_effort" | undefined;
  /** `proxy` where one role says so, `off` where only that is said; undefined: as the cluster says. */
  readonly sshRecording: "proxy" | "off" | undefined;
  /** The different commands that roles force upon SSH sessions; more than one contradict each other, and nothing may run. */
  readonly forceCommands: readonly string[];
  /** Ranges of addresses from which SSH may be used: what all roles that name some have in common, so none may be left. Undefined: any. */
  readonly sourceAddresses: readonly string[] | undefined;
  readonly x11Forwarding: boolean;
}

/**
 * The roles of one person with their traits applied. Immutable and pure; deny wins everywhere (DESIGN §4.5).
 * The implicit role (reference §8.6) is always among them.
 */
export interface RoleSet {
  readonly roleNames: readonly string[];
  kube(target: KubeTarget): KubeDecision;
  /** May log in to a host with these labels as `login`. */
  node(labels: Readonly<Record<string, string>>, login: string): Decision;
  /** May do `verb` on `kind` (reference §8.4). */
  rule(kind: string, verb: string, context: RuleContext): Decision;
  /** Whether there can be anything of `kind` that they may do `verb` on, whatever `where` asks: for refusing those who may nothing. */
  ruleEver(kind: string, verb: string): Decision;
  /** Lifetime in ms for a certificate, at most the smallest `max_session_ttl` (reference §2.4). */
  sessionTtl(requested: number): number;
  /** Host logins after deny, sorted. */
  logins(): readonly string[];
  options(): EffectiveOptions;
}
