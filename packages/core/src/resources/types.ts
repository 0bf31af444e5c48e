/** Versions are fixed per kind (reference §8.2). */
export type Kind = "role" | "user" | "github" | "oidc" | "saml" | "cluster_auth_preference" | "token" | "lock" | "bot" | "node";

/** The common envelope's metadata. */
export interface Metadata {
  readonly name: string;
  /** Accepted, `default` alone, never written back. */
  readonly namespace?: string | undefined;
  readonly description?: string | undefined;
  /** RFC 3339. */
  readonly expires?: string | undefined;
  readonly labels?: Readonly<Record<string, string>> | undefined;
}

/** Trait name to its values. */
export type Traits = Readonly<Record<string, readonly string[]>>;

/** Label selector: key to values; `{"*": ["*"]}` matches all, `{}` nothing. */
export type LabelSelector = Readonly<Record<string, readonly string[]>>;

/** An admin rule: these verbs on these kinds, where the expression holds (reference §8.4, §8.5). */
export interface Rule {
  readonly resources: readonly string[];
  readonly verbs: readonly string[];
  readonly where?: string | undefined;
  readonly actions?: readonly string[] | undefined;
}

/** One half of a role. Absent lists are empty after parsing. */
export interface RoleConditions {
  readonly logins: readonly string[];
  readonly node_labels: LabelSelector;
  readonly kubernetes_groups: readonly string[];
  /** User names at Kubernetes that a person may have in the place of their own. */
  readonly kubernetes_users: readonly string[];
  /** Which Kubernetes clusters the groups and users are for, by the cluster's labels. */
  readonly kubernetes_labels: LabelSelector;
  readonly rules: readonly Rule[];
}

/** Values of the role option `certificate_renewal`. */
export type CertificateRenewal = "off" | "local" | "any";

/** Role options after defaults. Durations in ms, 0 means none. */
export interface RoleOptions {
  readonly max_session_ttl: number;
  readonly forward_agent: boolean;
  readonly port_forwarding: boolean;
  readonly cert_format: "standard" | "oldssh";
  readonly client_idle_timeout: number;
  readonly disconnect_expired_cert: boolean;
  /** Lets `system:*` groups come from an external trait (DESIGN "Identity"). */
  readonly allow_system_groups_from_traits: boolean;
  /** Lets requests to `proxy` of nodes pass (DESIGN §4.3). */
  readonly kubernetes_node_proxy: boolean;
  /** Records what is typed and sent in as well. */
  readonly record_stdin: boolean;
  /** Lets logins be approved in a browser elsewhere (`tsh login --headless`); one role that says no is enough. */
  readonly headless_login: boolean;
  /** Whose logins may be renewed without logging in again, up to the first login's `max_session_ttl`: nobody's, local users', also those that came through a connector. */
  readonly certificate_renewal: CertificateRenewal;
  /** Sessions (exec, attach) that a person may have open at once on a gateway; 0 means any number. */
  readonly max_sessions: number;
  /** What becomes of a session that cannot be recorded: it does not run, or the gap is audited. Absent: as the cluster says. */
  readonly record_session?: "strict" | "best_effort" | undefined;
  /** Where SSH sessions are recorded: on the way through the gateway, or not at all, bytes passing end to end. Absent: as the cluster says. */
  readonly ssh_recording?: "proxy" | "off" | undefined;
  /** What runs on the host instead of what the person asks for. */
  readonly force_command?: string | undefined;
  /** Ranges of addresses from which the person may use SSH; empty: any. */
  readonly source_addresses: readonly string[];
  /** Lets windows of the host be shown on the person's screen (`ssh -X`). */
  readonly x11_forwarding: boolean;
}

/** `role` v3. */
export interface Role {
  readonly kind: "role";
  readonly version: "v3";
  readonly metadata: Metadata;
  readonly spec: { readonly options: RoleOptions; readonly allow: RoleConditions; readonly deny: RoleConditions };
}

/** Which identity of which connector (reference §8.7). */
export interface ExternalIdentity {
  readonly connector_id: string;
  readonly username: string;
}

/** `user` v2. */
export interface User {
  readonly kind: "user";
  readonly version: "v2";
  readonly metadata: Metadata;
  readonly spec: {
    readonly roles: readonly string[];
    readonly traits: Traits;
    readonly expires?: string | undefined;
    readonly status?: { readonly is_locked: boolean; readonly locked_message?: string | undefined; readonly locked_time?: string | undefined; readonly lock_expires?: string | undefined } | undefined;
    readonly created_by?:
      | {
          readonly connector?: { readonly type: string; readonly id: string; readonly identity: string } | undefined;
          readonly time?: string | undefined;
          readonly user?: { readonly name: string } | undefined;
        }
      | undefined;
    readonly github_identities?: readonly ExternalIdentity[] | undefined;
    readonly oidc_identities?: readonly ExternalIdentity[] | undefined;
    readonly saml_identities?: readonly ExternalIdentity[] | undefined;
  };
}

/** A team, or an organization, whose members get host logins and Kubernetes groups (through the role `access`). */
export interface TeamToLogins {
  readonly organization: string;
  /** Team slug; absent: every active member of the organization. */
  readonly team?: string | undefined;
  readonly logins: readonly string[];
  readonly kubernetes_groups: readonly string[];
}

/** A team, or an organization, whose members get these roles. */
export interface TeamToRoles {
  readonly organization: string;
  /** As in {@link TeamToLogins}. */
  readonly team?: string | undefined;
  readonly roles: readonly string[];
}

/** `github` v3. */
export interface GithubConnector {
  readonly kind: "github";
  readonly version: "v3";
  readonly metadata: Metadata;
  readonly spec: {
    readonly client_id: string;
    /** Absent when read without secrets. */
    readonly client_secret?: string | undefined;
    readonly redirect_url: string;
    readonly display: string;
    readonly teams_to_logins: readonly TeamToLogins[];
    readonly teams_to_roles: readonly TeamToRoles[];
    /** GitHub's own web address; default `https://github.com`. */
    readonly endpoint_url?: string | undefined;
    /** GitHub's API address; default `https://api.github.com`. */
    readonly api_endpoint_url?: string | undefined;
  };
}

/**
 * What local users show beside their password: nothing, a code of an authenticator app, a security key or passkey, either of these, or either for
 * whoever has one.
 */
export type SecondFactor = "off" | "otp" | "webauthn" | "on" | "optional";

/** A claim of an OIDC provider that gives roles: those for whom it has this value (reference §2.2). */
export interface ClaimToRoles {
  /** Name of the claim; a path with dots reaches into nested ones (`realm_access.roles`), unless a claim has that very name. */
  readonly claim: string;
  /** Text with `*` for anything, or a `^…$` expression. */
  readonly value: string;
  /** May name what the value matched: `$1`, `${1}`. */
  readonly roles: readonly string[];
}

/** `oidc` v3 (v2 reads alike). */
export interface OidcConnector {
  readonly kind: "oidc";
  readonly version: "v3";
  readonly metadata: Metadata;
  readonly spec: {
    /** Exactly as the provider's discovery document has it. */
    readonly issuer_url: string;
    readonly client_id: string;
    /** Absent when read without secrets. */
    readonly client_secret?: string | undefined;
    /** At least one; the one whose host the person came by is used, else the first. */
    readonly redirect_url: readonly string[];
    readonly display: string;
    /** Asked for, and then demanded of the claim `acr`. */
    readonly acr_values?: string | undefined;
    /** What the provider is, where it needs something of its own: `adfs`, `netiq`, `google`. */
    readonly provider?: string | undefined;
    /** Default `select_account`; empty for none. */
    readonly prompt: string;
    /** Beside `openid` and `email`. */
    readonly scope: readonly string[];
    /** The claim that names the user; default `email`, which must be verified. */
    readonly username_claim?: string | undefined;
    readonly claims_to_roles: readonly ClaimToRoles[];
  };
}

/** An attribute of a SAML assertion that gives roles (reference §2.2). */
export interface AttributeToRoles {
  readonly name: string;
  readonly value: string;
  readonly roles: readonly string[];
}

/** A key and its certificate, PEM. */
export interface KeyPair {
  readonly cert: string;
  /** Absent when read without secrets. */
  readonly private_key?: string | undefined;
}

/** `saml` v2. */
export interface SamlConnector {
  readonly kind: "saml";
  readonly version: "v2";
  readonly metadata: Metadata;
  readonly spec: {
    /** Assertion consumer service: this gateway's address for the provider's answers. */
    readonly acs: string;
    readonly display: string;
    /** The provider's entity id; from its metadata where there is some. */
    readonly issuer?: string | undefined;
    /** The provider's address for requests. */
    readonly sso?: string | undefined;
    /** The provider's certificates, PEM: one or several. */
    readonly cert?: string | undefined;
    /** The provider's metadata: XML, or where it is. */
    readonly entity_descriptor?: string | undefined;
    readonly entity_descriptor_url?: string | undefined;
    /** Whom assertions must be for; default `acs`. */
    readonly audience: string;
    /** This gateway's entity id; default `acs`. */
    readonly service_provider_issuer: string;
    /** What the provider is, where it needs something of its own: `adfs`, `okta`, `ping`. */
    readonly provider?: string | undefined;
    readonly attributes_to_roles: readonly AttributeToRoles[];
    /** Signs requests; made by the gateway where none is given. */
    readonly signing_key_pair?: KeyPair | undefined;
    /** Opens encrypted assertions. */
    readonly assertion_key_pair?: KeyPair | undefined;
  };
}

/** What people come in by. */
export type Connector = GithubConnector | OidcConnector | SamlConnector;

/** `cluster_auth_preference` v2; its one name is `cluster-auth-preference`. */
export interface AuthPreference {
  readonly kind: "cluster_auth_preference";
  readonly version: "v2";
  readonly metadata: Metadata;
  readonly spec: {
    readonly type: "local" | "oidc" | "saml" | "github";
    readonly second_factor: SecondFactor;
    readonly connector_name?: string | undefined;
    /** Absent: the relying party is the host of the gateway's public address. */
    readonly webauthn?: { readonly rp_id?: string | undefined } | undefined;
    /** Kept for later: not in force yet. */
    readonly require_session_mfa?: boolean | undefined;
  };
}

/** How a machine proves that it may join: by a one-use token, or by a JWT that its surroundings gave it. */
export type JoinMethod = "token" | "github-actions" | "gitlab" | "kubernetes" | "oidc";

/** What a job's JWT must say, by the keys of its method: for each the values that it may have, as text, with `*`, or as `^…$`. All keys must match. */
export type JoinRule = Readonly<Record<string, readonly string[]>>;

/** A set of public keys (RFC 7517). */
export interface KeySet {
  readonly keys: readonly Readonly<Record<string, unknown>>[];
}

/** `token`: lets a machine join. Its name is the secret of it, but for a bot's token whose method wants a JWT. */
export interface ProvisionToken {
  readonly kind: "token";
  readonly version: "v2";
  readonly metadata: Metadata;
  readonly spec: {
    /** Machines of the cluster's own; empty for a bot's token. */
    readonly roles: readonly string[];
    /** Absent for machines that join as v3's do; `token` for bots, and with the role `Node` alone for hosts. */
    readonly join_method?: JoinMethod | undefined;
    /** Name of the bot that may join with it. */
    readonly bot_name?: string | undefined;
    /** Who signs the JWTs, exactly as they say it. */
    readonly issuer?: string | undefined;
    /** Whom the JWTs have to be for; absent: this cluster, by its name or an address of a gateway. */
    readonly audience?: string | undefined;
    /** The issuer's keys; absent: asked of the issuer. */
    readonly jwks?: KeySet | undefined;
    /** One of these has to match. */
    readonly allow?: readonly JoinRule[] | undefined;
    /** What hosts that join may be called: one of these has to match. Lower case; `*` is anything. */
    readonly node_names?: readonly string[] | undefined;
    /** Addresses that they may have beside the one that they join from: names or IP addresses, `*` is anything. */
    readonly node_addrs?: readonly string[] | undefined;
    /** Labels that they get; one whose value has a `*` in it they may choose, so that it matches. */
    readonly node_labels?: Readonly<Record<string, string>> | undefined;
    /** How many hosts may join, from now on; one where absent. */
    readonly uses?: number | undefined;
  };
}

/** `bot` v1: somebody who is no person. Logs in as `bot:NAME`, with tokens that name it. */
export interface Bot {
  readonly kind: "bot";
  readonly version: "v1";
  readonly metadata: Metadata;
  readonly spec: {
    readonly roles: readonly string[];
    readonly traits: Traits;
    /** ms; 0 means the hour that every bot may have. */
    readonly max_ttl: number;
  };
}

/** What a lock is about: all of the fields given must match, exactly; at least one is. */
export interface LockTarget {
  readonly user?: string | undefined;
  /** Whoever has this role now. */
  readonly role?: string | undefined;
  /** An account on hosts. */
  readonly login?: string | undefined;
  /** A host, by name or id. */
  readonly node?: string | undefined;
  /** A Kubernetes cluster, by name. */
  readonly kube_cluster?: string | undefined;
  /** Id of one live session, or of a login session. */
  readonly session?: string | undefined;
}

/** `lock` v2: refuses, whatever roles allow, until it ends or is removed. */
export interface Lock {
  readonly kind: "lock";
  readonly version: "v2";
  readonly metadata: Metadata;
  readonly spec: {
    readonly target: LockTarget;
    /** What those who are refused are told; one line. */
    readonly message?: string | undefined;
    /** RFC 3339; absent: until it is removed. */
    readonly expires?: string | undefined;
    /** RFC 3339; set by the gateway. */
    readonly created_at?: string | undefined;
    /** User name; set by the gateway. */
    readonly created_by?: string | undefined;
  };
}

/** `node` v2: a host with stock OpenSSH that people reach through the gateway. */
export interface Node {
  readonly kind: "node";
  readonly version: "v2";
  readonly sub_kind: "openssh";
  /** The name is the host's id: a UUID for one that joined by itself. */
  readonly metadata: Metadata;
  readonly spec: {
    /** Where the gateway dials it: `host:port`, an IPv6 address in brackets. */
    readonly addr: string;
    /** What people call it; lower case. */
    readonly hostname: string;
    /** `SHA256:…` of the one host key that it may have; absent for one made by hand, whose host certificate alone tells it. */
    readonly host_key?: string | undefined;
  };
}

/** Any resource. */
export type Resource = Role | User | Connector | AuthPreference | ProvisionToken | Lock | Bot | Node;

/** A parsed reference: `roles/admin` → kind `role`, name `admin`. */
export interface ResourceRef {
  readonly kind: Kind | "connectors";
  readonly name?: string | undefined;
}

/** A trait that a template names. */
export interface Variable {
  readonly namespace: "internal" | "external";
  readonly name: string;
}

/** What stands between `{{` and `}}`: a trait, or what a function makes of one. */
export type Filler =
  | Variable
  | { readonly call: "email.local"; readonly of: Filler }
  | { readonly call: "regexp.replace"; readonly of: Filler; readonly pattern: string; readonly replacement: string };

/** What a value of a role is: a literal, or text around something that traits fill (reference §2.5, which knows no text around and no functions). */
export type Template = { readonly literal: string } | { readonly before: string; readonly filler: Filler; readonly after: string };

/** Where in a file: 1-based line and column. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

/** A resource and where in its file it begins. */
export interface ParsedResource {
  readonly resource: Resource;
  readonly position: Position;
}
