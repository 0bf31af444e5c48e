/** A team that GitHub says a person is in. Ids are GitHub's own and never change; names do. */
export interface GithubTeam {
  readonly organization: string;
  readonly organizationId: number;
  /** Slug. */
  readonly team: string;
  readonly teamId: number;
}

/** A person as GitHub knows them. */
export interface GithubPerson {
  readonly login: string;
  readonly id: number;
  readonly teams: readonly GithubTeam[];
}

/** What a person gets from a connector's mapping. Lists are sorted and without duplicates. */
export interface TeamGrant {
  readonly roles: readonly string[];
  readonly logins: readonly string[];
  readonly kubernetesGroups: readonly string[];
}

/** Time limits in ms: for each request to GitHub, and for all of one login together. */
export interface GithubTimeouts {
  readonly request: number;
  readonly login: number;
}

/** GitHub as one connector reaches it. */
export interface GithubClient {
  /** Where the browser goes to log in (RFC 6749 §4.1.1, RFC 7636 §4.3). */
  authorizeUrl(request: { readonly state: string; readonly codeChallenge: string }): string;
  /**
   * Exchanges the code and asks who it belongs to; GitHub's token never leaves this call. Throws `access_denied` where GitHub refuses and
   * `internal`, with the cause in words, where GitHub is misconfigured, slow, broken or away.
   */
  authenticate(request: { readonly code: string; readonly codeVerifier: string }): Promise<GithubPerson>;
  /** Drops the connections. */
  close(): Promise<void>;
}
