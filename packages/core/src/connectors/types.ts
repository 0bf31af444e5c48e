import type { Clock, GatehouseError } from "../base/index.ts";
import type { Traits } from "../resources/index.ts";

/** A team that GitHub says a person is in. Ids are GitHub's own and never change; names do. */
export interface GithubTeam {
  readonly organization: string;
  readonly organizationId: number;
  /** Slug. */
  readonly team: string;
  readonly teamId: number;
}

/** An organization of which GitHub says that a person is an active member. */
export interface GithubOrganization {
  readonly organization: string;
  readonly organizationId: number;
}

/** Where a person belongs, at GitHub. */
export interface GithubMemberships {
  readonly teams: readonly GithubTeam[];
  /** Absent where they were not asked for: no mapping is about a whole organization. */
  readonly organizations?: readonly GithubOrganization[] | undefined;
}

/** A person as GitHub knows them. */
export interface GithubPerson extends GithubMemberships {
  readonly login: string;
  readonly id: number;
}

/** One entry of a connector's mapping, and what came of it for a person. */
export interface RuleOutcome {
  /** The entry in words: `octocats/admins`, `octocats/*` (every member), `groups = dev-*`. */
  readonly rule: string;
  readonly matched: boolean;
  /** What it gives who it matches: `role access`, `login root`, `group edit`. */
  readonly gives: readonly string[];
}

/** What a person gets from a connector's mapping. Lists are sorted and without duplicates. */
export interface Mapping {
  readonly roles: readonly string[];
  readonly traits: Traits;
  readonly rules: readonly RuleOutcome[];
  /** Why nothing was given, where nothing was. */
  readonly problem: GatehouseError | undefined;
}

/** A person for whom an identity provider vouches. */
export interface Vouched {
  /** Name at the provider, now: a label, and the user name of the first login. */
  readonly name: string;
  /** Immutable at the provider, and no other person's of this connector: what the person is known by. */
  readonly id: string;
  /** What the provider said of them (claims, attributes, teams), for `tctl sso test`. Holds no secret. */
  readonly received: Readonly<Record<string, unknown>>;
  readonly mapping: Mapping;
  /** GitHub's teams and organizations, whose ids are pinned at first use. */
  readonly memberships?: GithubMemberships | undefined;
}

/** Time limits in ms: for each request to a provider, and for all of one login together. */
export interface ProviderTimeouts {
  readonly request: number;
  readonly login: number;
}

/** A login that goes to its provider. */
export interface LoginRequest {
  /** 43 characters of base64url that the provider brings back; also what anything else that must be fresh (nonce, id of a SAML request) is made from. */
  readonly state: string;
  /** PKCE (RFC 7636), 43 characters. */
  readonly codeVerifier: string;
  /** Which of the connector's callback addresses the answer goes to. */
  readonly callbackUrl: string;
}

/** What came back with the browser, beside what the login began with. */
export interface LoginAnswer extends LoginRequest {
  /** Parameters of the callback, each once: the query, or the fields of a form. */
  readonly parameters: Readonly<Record<string, string | undefined>>;
}

/** An identity provider as one connector reaches it. */
export interface Provider {
  /**
   * Where the browser goes to log in. Throws `unavailable` or `internal`, with the cause in words, where the provider has to be asked first and is slow,
   * broken or away.
   */
  authorizeUrl(request: LoginRequest): Promise<string>;
  /**
   * Checks what the provider sent with the browser and asks it for the rest; its tokens never leave this call. Throws `access_denied` where the provider
   * refuses, or what it sent does not hold; `internal` or `unavailable` where it is misconfigured, slow, broken or away.
   */
  authenticate(answer: LoginAnswer): Promise<Vouched>;
  /** Drops the connections. */
  close(): Promise<void>;
}

/** What providers work with. */
export interface ProviderOptions {
  readonly clock: Clock;
  readonly timeouts?: ProviderTimeouts | undefined;
}
