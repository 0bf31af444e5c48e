import { GatehouseError } from "../../base/index.ts";
import type { GithubConnector } from "../../resources/index.ts";
import type { GithubMemberships, GithubOrganization, GithubPerson, GithubTeam, Mapping, RuleOutcome } from "../types.ts";
import { quote } from "../quote.ts";

/** The role of people who come through `teams_to_logins`. */
export const accessRole = "access";

const maxNamed = 10;

/** Whom an entry of the mapping is about: a team, or without one every member of the organization. */
interface MappingEntry {
  readonly organization: string;
  readonly team?: string | undefined;
}

function sorted(values: Iterable<string>): string[] {
  return [...new Set(values)].sort();
}

/** `octocats/admins, octocats/*` of at most ten, and how many more. */
function nameSome(names: readonly string[]): string {
  const all = sorted(names.map(quote));
  const rest = all.length - maxNamed;
  return rest > 0 ? `${all.slice(0, maxNamed).join(", ")} and ${String(rest)} more` : all.join(", ");
}

/** An entry of the mapping in words: `octocats/admins`, or `octocats/*` where it is about the whole organization. */
export function nameMapping({ organization, team }: MappingEntry): string {
  return `${organization}/${team ?? "*"}`;
}

const entriesOf = ({ spec }: GithubConnector): readonly MappingEntry[] => [...spec.teams_to_logins, ...spec.teams_to_roles];
const isTeam = (entry: MappingEntry, team: GithubTeam): boolean => entry.organization === team.organization && entry.team === team.team;
const isOrganization = (entry: MappingEntry, { organization }: GithubOrganization): boolean => entry.team === undefined && entry.organization === organization;

/** Whether some entry is about a whole organization, so that GitHub must be asked for these. */
export function mapsOrganizations(connector: GithubConnector): boolean {
  return entriesOf(connector).some(({ team }) => team === undefined);
}

/** The person's teams and organizations that the connector maps: compared exactly, organization login and team slug. */
export function mappedMemberships(connector: GithubConnector, { teams, organizations = [] }: GithubMemberships): GithubMemberships {
  const entries = entriesOf(connector);
  return {
    teams: teams.filter((team) => entries.some((entry) => isTeam(entry, team))),
    organizations: organizations.filter((organization) => entries.some((entry) => isOrganization(entry, organization))),
  };
}

/** What GitHub reported of somebody who gets nothing, and what to do about it. */
function reported({ teams, organizations }: GithubPerson): string {
  const parts = [
    ...(teams.length > 0 ? [nameSome(teams.map(nameMapping))] : []),
    ...(organizations && organizations.length > 0 ? [`membership of ${nameSome(organizations.map(({ organization }) => organization))}`] : []),
  ];
  if (parts.length > 0) return `GitHub reported: ${parts.join("; ")}; ask an administrator to map one of them`;
  return `GitHub reported no team${organizations ? " and no organization" : ""}: an owner of the organization may have to approve the application there`;
}

/** Why a person in no mapped team gets nothing: names what is mapped and what GitHub reported. */
function nothing(connector: GithubConnector, person: GithubPerson): GatehouseError {
  const { name } = connector.metadata;
  const entries = entriesOf(connector);
  if (entries.length === 0) return new GatehouseError("access_denied", `connector "${name}" maps no team`, { hint: "an administrator adds teams_to_logins or teams_to_roles to it" });
  const what = mapsOrganizations(connector) ? "teams and organizations" : "teams";
  return new GatehouseError("access_denied", `${person.login} is in none of the ${what} that connector "${name}" maps (${nameSome(entries.map(nameMapping))})`, { hint: reported(person) });
}

/** Roles, logins and groups of a person; the problem of one in no mapped team or organization is `access_denied`. */
export function mapTeams(connector: GithubConnector, person: GithubPerson): Mapping {
  const { teams_to_logins, teams_to_roles } = connector.spec;
  const { teams, organizations = [] } = person;
  const isMember = (entry: MappingEntry): boolean => teams.some((team) => isTeam(entry, team)) || organizations.some((organization) => isOrganization(entry, organization));
  const logins = teams_to_logins.filter(isMember);
  const roles = teams_to_roles.filter(isMember);
  const rule = (entry: MappingEntry, gives: readonly string[]): RuleOutcome => ({ rule: nameMapping(entry), matched: isMember(entry), gives });
  return {
    roles: sorted([...(logins.length > 0 ? [accessRole] : []), ...roles.flatMap((entry) => entry.roles)]),
    traits: { logins: sorted(logins.flatMap((entry) => entry.logins)), kubernetes_groups: sorted(logins.flatMap((entry) => entry.kubernetes_groups)) },
    rules: [
      ...teams_to_logins.map((entry) => rule(entry, [`role ${accessRole}`, ...entry.logins.map((login) => `login ${login}`), ...entry.kubernetes_groups.map((group) => `group ${group}`)])),
      ...teams_to_roles.map((entry) => rule(entry, entry.roles.map((role) => `role ${role}`))),
    ],
    problem: logins.length + roles.length === 0 ? nothing(connector, person) : undefined,
  };
}
