import type { ProviderOptions } from "../types.ts";

/** Where Google is: the issuer whose access tokens its directory takes, and the directory's list of groups. */
export interface Google {
  readonly issuer: string;
  readonly groupsUrl: string;
}

/** Google's own addresses. */
export const google: Google = { issuer: "https://accounts.google.com", groupsUrl: "https://www.googleapis.com/admin/directory/v1/groups" };

/** What OIDC providers work with. */
export interface OidcProviderOptions extends ProviderOptions {
  /** For tests alone; default Google's own addresses. */
  readonly google?: Google | undefined;
}
