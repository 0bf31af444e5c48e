import type { Prompter } from "@gatehouse/core/client/terminal";
import { askForSeveral } from "./needs.ts";
import { namesIn, parseTeam, parseTeamMapping, type MappedTeam } from "./mappings.ts";

/** What teams give, as a connector's `spec` has it. */
export interface TeamMappings {
  readonly teams_to_logins: readonly (MappedTeam & { readonly logins: readonly string[]; readonly kubernetes_groups: readonly string[] })[];
  readonly teams_to_roles: readonly (MappedTeam & { readonly roles: readonly string[] })[];
}

/** The flags, each `ORGANIZATION/TEAM=NAME,NAME`. */
export interface TeamFlags {
  readonly "teams-to-roles"?: readonly string[] | undefined;
  readonly "teams-to-logins"?: readonly string[] | undefined;
  readonly "teams-to-groups"?: readonly string[] | undefined;
}

/** The flags as mappings, logins and groups of one team in one entry; undefined where there are none. Throws `usage`. */
export function teamMappings(flags: TeamFlags): TeamMappings | undefined {
  const entries = new Map<string, { readonly team: MappedTeam; logins: readonly string[]; groups: readonly string[] }>();
  const entry = (team: MappedTeam) => {
    const key = JSON.stringify([team.organization, team.team]);
    const known = entries.get(key) ?? { team, logins: [], groups: [] };
    entries.set(key, known);
    return known;
  };
  const read = (name: keyof TeamFlags) => (flags[name] ?? []).map((text) => parseTeamMapping(`--${name}`, text));
  for (const { team, names } of read("teams-to-logins")) entry(team).logins = [...entry(team).logins, ...names];
  for (const { team, names } of read("teams-to-groups")) entry(team).groups = [...entry(team).groups, ...names];
  const teams_to_roles = read("teams-to-roles").map(({ team, names }) => ({ ...team, roles: names }));
  const teams_to_logins = [...entries.values()].map(({ team, logins, groups }) => ({ ...team, logins, kubernetes_groups: groups }));
  return teams_to_roles.length + teams_to_logins.length === 0 ? undefined : { teams_to_logins, teams_to_roles };
}

/** Asks which teams get which roles. */
export async function askForTeams(prompter: Prompter): Promise<TeamMappings> {
  const teams_to_roles = await askForSeveral(prompter, "Another team?", async () => {
    const team = parseTeam("the team", await prompter.ask("Who gets in: ORGANIZATION/TEAM, or ORGANIZATION/* for every member:"));
    return { ...team, roles: namesIn(await prompter.ask("Their roles, with commas between (access, admin, …):")) };
  });
  return { teams_to_logins: [], teams_to_roles };
}
