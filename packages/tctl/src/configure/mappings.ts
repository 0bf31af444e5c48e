import { GatehouseError, escapeLine } from "@gatehouse/core/base";

/** A team, or without one every member of an organization, as resources have it. */
export interface MappedTeam {
  readonly organization: string;
  readonly team?: string;
}

const shown = (text: string): string => escapeLine(text.slice(0, 200));

/** Words between commas; a word in double quotes may have commas, and `""` for a quote (RFC 4180). Throws `usage`. */
export function splitWords(flag: string, text: string): readonly string[] {
  const words = [...text.matchAll(/(?:^|,)\s*(?:"((?:[^"]|"")*)"\s*(?=,|$)|([^",]*))/g)];
  const used = words.reduce((length, [match]) => length + match.length, 0);
  if (used !== text.length) throw new GatehouseError("usage", `${flag}: "${shown(text)}" cannot be read`, { hint: 'a word with a comma or a quote stands in quotes: "a,b"' });
  return words.map(([, quoted, plain]) => quoted?.replaceAll('""', '"') ?? (plain ?? "").trim());
}

/** `a, b` without the empty ones. */
export const namesIn = (text: string): readonly string[] => [...new Set(text.split(",").map((name) => name.trim()))].filter((name) => name !== "");

/** `octocats/admins`, or `octocats/*` for every member of the organization. Throws `usage`. */
export function parseTeam(flag: string, text: string): MappedTeam {
  const match = /^([^/\s=]+)\/([^/\s=]+)$/.exec(text.trim());
  const [, organization, team] = match ?? [];
  if (organization === undefined || team === undefined) throw new GatehouseError("usage", `${flag}: "${shown(text)}" is no team`, { hint: "write ORGANIZATION/TEAM, or ORGANIZATION/* for every member of the organization" });
  return team === "*" ? { organization } : { organization, team };
}

/** `octocats/admins=admin,auditor`: a team and what it gives. Throws `usage`. */
export function parseTeamMapping(flag: string, text: string): { readonly team: MappedTeam; readonly names: readonly string[] } {
  const at = text.indexOf("=");
  const names = at < 0 ? [] : namesIn(text.slice(at + 1));
  if (names.length === 0) throw new GatehouseError("usage", `${flag}: "${shown(text)}" gives nothing`, { hint: `write ${flag}=ORGANIZATION/TEAM=NAME,NAME` });
  return { team: parseTeam(flag, text.slice(0, at)), names };
}

/** `groups,admins,admin,auditor`: a claim (or attribute), a value, roles. Throws `usage`. */
export function parseValueMapping(flag: string, text: string): { readonly key: string; readonly value: string; readonly roles: readonly string[] } {
  const [key = "", value = "", ...rest] = splitWords(flag, text);
  const roles = rest.filter((role) => role !== "");
  if (key === "" || value === "" || roles.length === 0) throw new GatehouseError("usage", `${flag}: "${shown(text)}" gives nothing`, { hint: `write ${flag}=NAME,VALUE,ROLE,ROLE; VALUE may have * for anything, or be an expression between ^ and $` });
  return { key, value, roles };
}
