import type { z } from "zod";
import { GatehouseError } from "../../base/index.ts";
import type { GithubPerson } from "../types.ts";
import { membershipsAnswer, teamsAnswer, userAnswer } from "./answers.ts";
import { below, type GithubEndpoints } from "./endpoints.ts";
import { nextLink } from "./link.ts";
import { quote } from "../quote.ts";
import { ask, type AskOptions } from "./request.ts";

const maxPages = 100;

/** Who the token is of, with their teams, and their organizations if asked for. Throws as {@link ask} does, and `limit_exceeded` for too many pages. */
export async function readPerson(endpoints: GithubEndpoints, token: string, wants: { readonly organizations: boolean }, asking: AskOptions): Promise<GithubPerson> {
  const headers = { accept: "application/vnd.github+json", authorization: `Bearer ${token}`, "x-github-api-version": "2022-11-28" };

  async function readPages<T>(kind: string, path: string, schema: z.ZodType<readonly T[]>): Promise<readonly T[]> {
    const what = `the ${kind} request`;
    const all: T[] = [];
    let next: URL | undefined = below(endpoints.api, path);
    for (let page = 1; next; page++) {
      if (page > maxPages) throw new GatehouseError("limit_exceeded", `GitHub reports more than ${maxPages} pages of ${kind}`);
      const answer = await ask({ what, url: next, headers }, schema, asking);
      all.push(...answer.value);
      next = followUp(endpoints, what, nextLink(answer.link));
    }
    return all;
  }

  const { value: user } = await ask({ what: "the user request", url: below(endpoints.api, "/user"), headers }, userAnswer, asking);
  const teams = await readPages("teams", "/user/teams?per_page=100", teamsAnswer);
  const person = {
    login: user.login,
    id: user.id,
    teams: teams.map(({ id, slug, organization }) => ({ organization: organization.login, organizationId: organization.id, team: slug, teamId: id })),
  };
  if (!wants.organizations) return person;
  const memberships = await readPages("organizations", "/user/memberships/orgs?state=active&per_page=100", membershipsAnswer);
  // An invitation that is not accepted yet is a membership too, in another state; a proxy or an old server may not know the filter.
  const active = memberships.filter(({ state }) => state === "active");
  return { ...person, organizations: active.map(({ organization }) => ({ organization: organization.login, organizationId: organization.id })) };
}

/** The next page, if it is on the same server: the token goes nowhere else. */
function followUp(endpoints: GithubEndpoints, what: string, link: string | undefined): URL | undefined {
  if (link === undefined) return undefined;
  if (!URL.canParse(link, endpoints.api.href)) throw new GatehouseError("internal", `GitHub's answer to ${what} names a next page that is not an address`);
  const next = new URL(link, endpoints.api);
  if (next.origin !== endpoints.api.origin) {
    throw new GatehouseError("internal", `GitHub's answer to ${what} names a next page on another server (${quote(next.host)}), which is refused`);
  }
  return next;
}
