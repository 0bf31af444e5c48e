import { GatehouseError } from "../../base/index.ts";
import type { GithubConnector } from "../../resources/index.ts";
import type { GithubPerson, GithubTeam, Mapping, RuleOutcome } from "../types.ts";
import { quote } from "./request.ts";

/** The role of people who come through `teams_to_logins`. */
export const accessRole = "access";

const maxNamed = 10;

interface TeamEntry {
  readonly organization: string;
  readonly team: string;
}

function sorted(values: Iterable<string>): string[] {
  return [...new Set(values)].sort();
}

/** `octocats/admins, octocats/sre` of at most ten, and how many more. */
function nameTeams(teams: readonly TeamEntry[]): string {
  const names = sorted(teams.map((team) => quote(`${team.organization}/${team.team}`)));
  const rest = names.length - maxNamed;
  return rest > 0 ? `${names.slice(0, maxNamed).join(", ")} and ${String(rest)} more` : names.join(", ");
}

const matches = (mapping: TeamEntry, team: GithubTeam): boolean => mapping.organization === team.organization && mapping.team === team.team;

/** The person's teams that the connector maps: compared exactly, organization login and team slug. */
export function mappedTeams(connector: GithubConnector, teams: readonly GithubTeam[]): readonly GithubTeam[] {
  const mappings: readonly TeamEntry[] = [...connector.spec.teams_to_logins, ...connector.spec.teams_to_roles];
  return teams.filter((team) => mappings.some((mapping) => matches(mapping, team)));
}

/** Why a person in no mapped team gets nothing: names what is mapped and what GitHub reported. */
function nothing(connector: GithubConnector, person: GithubPerson, mapped: readonly TeamEntry[]): GatehouseError {
  const { name } = connector.metadata;
  if (mapped.length === 0) return new GatehouseError("access_denied", `connector "${name}" maps no team`, { hint: "an administrator adds teams_to_logins or teams_to_roles to it" });
  return new GatehouseError("access_denied", `${person.login} is in none of the teams that connector "${name}" maps (${nameTeams(mapped)})`, {
    hint:
      person.teams.length === 0
        ? "GitHub reported no team: an owner of the organization may have to approve the application there"
        : `GitHub reported: ${nameTeams(person.teams)}; ask an administrator to map one of them`,
  });
}

/** Roles, logins and groups of a person; the problem of one in no mapped team is `access_denied`. */
export function mapTeams(connector: GithubConnector, person: GithubPerson): Mapping {
  const { teams_to_logins, teams_to_roles } = connector.spec;
  const isMember = (mapping: TeamEntry): boolean => person.teams.some((team) => matches(mapping, team));
  const logins = teams_to_logins.filter(isMember);
  const roles = teams_to_roles.filter(isMember);
  const problem = logins.length + roles.length === 0 ? nothing(connector, person, [...teams_to_logins, ...teams_to_roles]) : undefined;
  const rule = (entry: TeamEntry, gives: readonly string[]): RuleOutcome => ({ rule: `${entry.organization}/${entry.team}`, matched: isMember(entry), gives });
  return {
    roles: sorted([...(logins.length > 0 ? [accessRole] : []), ...roles.flatMap((entry) => entry.roles)]),
    traits: { logins: sorted(logins.flatMap((entry) => entry.logins)), kubernetes_groups: sorted(logins.flatMap((entry) => entry.kubernetes_groups)) },
    rules: [
      ...teams_to_logins.map((entry) => rule(entry, [`role ${accessRole}`, ...entry.logins.map((login) => `login ${login}`), ...entry.kubernetes_groups.map((group) => `group ${group}`)])),
      ...teams_to_roles.map((entry) => rule(entry, entry.roles.map((role) => `role ${role}`))),
    ],
    problem,
  };
}
