import { Flags } from "@oclif/core";
import { GatehouseError, escapeLine } from "@gatehouse/core/base";
import { isLabelTarget, parseFilePlace, type ChosenHost } from "@gatehouse/core/client/ssh";
import type { HostSession } from "./hosts.ts";

/** Flags that copying has, whichever the protocol. */
export const copyFlags = {
  recursive: Flags.boolean({ char: "r", summary: "Folders with all that is in them" }),
  preserve: Flags.boolean({ char: "p", summary: "Keep times and modes" }),
  quiet: Flags.boolean({ char: "q", summary: "No progress" }),
  port: Flags.integer({ char: "P", summary: "Port on the host; else the one that it is registered with", min: 1, max: 65_535 }),
  openssh: Flags.boolean({ summary: "Use OpenSSH where there is one; --no-openssh never does", default: true, allowNo: true }),
};

/** The same for OpenSSH's programs. */
export const copyLetters = (flags: { readonly recursive: boolean; readonly preserve: boolean; readonly quiet: boolean }): readonly string[] => [
  ...(flags.recursive ? ["-r"] : []),
  ...(flags.preserve ? ["-p"] : []),
  ...(flags.quiet ? ["-q"] : []),
];

/** A place of a copy, with the host that it is on. */
export interface CopyPlace {
  readonly host: ChosenHost | undefined;
  readonly path: string;
}

/** The places that somebody wrote, hosts chosen: each host and account once, under a name of its own. Throws `usage`. */
export async function choosePlaces(words: readonly string[], hosts: HostSession, port: number | undefined): Promise<readonly CopyPlace[]> {
  const known: ChosenHost[] = [];
  const places: CopyPlace[] = [];
  for (const word of words) {
    const place = parseFilePlace(word);
    if (place.host === undefined) {
      places.push({ host: undefined, path: place.path });
      continue;
    }
    const [chosen, ...more] = await hosts.choose({ ...place.host, port });
    if (chosen === undefined || more.length > 0) {
      throw new GatehouseError("usage", `${more.length + 1} hosts have ${escapeLine(place.host.host)}: a copy is for one host`, { hint: isLabelTarget(place.host.host) ? "tsh ls shows their names" : undefined });
    }
    const same = known.find(({ target, login }) => target === chosen.target && login === chosen.login);
    const taken = known.filter(({ shown }) => shown === chosen.shown).length;
    const host = same ?? (taken === 0 ? chosen : { ...chosen, shown: `${chosen.shown}-${taken + 1}` });
    if (!same) known.push(host);
    places.push({ host, path: place.path });
  }
  return places;
}

/** A place as OpenSSH's programs take it. A local name that looks like a place on a host, or like a flag, is told apart by its folder. */
export function placeWord({ host, path }: CopyPlace): string {
  if (host) return `${host.shown.includes(":") ? `[${host.shown}]` : host.shown}:${path}`;
  return path.includes(":") || path.startsWith("-") ? (path.startsWith("/") ? path : `./${path}`) : path;
}

/** Every host of the places, once. */
export const hostsOf = (places: readonly CopyPlace[]): readonly ChosenHost[] => [...new Set(places.flatMap(({ host }) => (host ? [host] : [])))];
