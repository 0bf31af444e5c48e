import { z } from "zod";
import { GatehouseError } from "../../base/index.ts";
import type { OidcConnector } from "../../resources/index.ts";
import type { ProviderHttp } from "../http.ts";
import { oidcLimits } from "./limits.ts";
import type { Google } from "./options.ts";

const scope = "https://www.googleapis.com/auth/admin.directory.group.readonly";

/** A page of the directory's `groups.list`. */
const page = z.object({
  groups: z.array(z.object({ email: z.string().min(1).max(oidcLimits.value) })).max(1000).optional(),
  nextPageToken: z.string().max(4096).optional(),
});

/** Whether the person's groups are to be asked for at Google: its claims have none (reference §1.9). The access token goes nowhere but there. */
export function wantsGoogleGroups({ spec }: OidcConnector, { issuer }: Google): boolean {
  return spec.issuer_url === issuer && spec.scope.includes(scope);
}

/** What the groups are asked with. */
export interface GroupsRequest {
  readonly http: ProviderHttp;
  readonly accessToken: string;
  readonly email: string;
  readonly deadline: AbortSignal;
}

/** Addresses of a person's groups in Google Workspace. Throws `internal` where Google refuses, `limit_exceeded` for too many. */
export async function readGoogleGroups({ groupsUrl }: Google, { http, accessToken, email, deadline }: GroupsRequest): Promise<readonly string[]> {
  const groups: string[] = [];
  let pageToken: string | undefined;
  for (let pages = 0; pages < oidcLimits.pages; pages += 1) {
    const url = new URL(groupsUrl);
    url.search = new URLSearchParams({ userKey: email, maxResults: "200", ...(pageToken === undefined ? {} : { pageToken }) }).toString();
    const question = { what: "the request for the person's groups", url: url.href, headers: { accept: "application/json", authorization: `Bearer ${accessToken}` } };
    const answer = await http.json(question, page, deadline);
    groups.push(...(answer.groups ?? []).map((group) => group.email));
    if (groups.length > oidcLimits.values) break;
    pageToken = answer.nextPageToken;
    if (pageToken === undefined || pageToken === "") return groups;
  }
  throw new GatehouseError("limit_exceeded", `Google reports more than ${String(oidcLimits.values)} groups of this person, or more than ${String(oidcLimits.pages)} pages of them`);
}
