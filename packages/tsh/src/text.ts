import { GatehouseError, describeDuration, escapeLine, readLabels, type Label } from "@gatehouse/core/base";
import { describeEnd } from "@gatehouse/core/client/terminal";

/** The address as people write it: without the port that is the default one. */
export const shortProxy = (proxy: string): string => proxy.replace(/:3080$/, "");

/** `valid until 21:02, 12 h`, or when it ended. */
export function describeValidity(expires: number, now: number): string {
  return expires <= now ? `ended ${describeDuration(Math.max(1000, now - expires))} ago` : `valid until ${describeEnd(expires, now)}`;
}

/** Names in one line; `none` for none. */
export const listNames = (names: readonly string[]): string => (names.length === 0 ? "none" : names.join(", "));

/** What stands in the place of groups, and why there are none. */
export const noGroups = (refused: string | undefined): string => `none (${refused === undefined || refused === "no role gives a Kubernetes group there" ? "no role gives one" : refused})`;

/** `env=prod`, `env=prod,region=eu`: labels that are asked for, from the words of a command line. Throws `usage` with the hint. */
export function parseLabels(words: readonly string[], hint: string): readonly Label[] {
  return words.flatMap((word) => word.split(",")).flatMap((term) => {
    const labels = term.startsWith("-") ? undefined : readLabels(term);
    if (!labels) throw new GatehouseError("usage", `"${escapeLine(term)}" is no label`, { hint });
    return labels;
  });
}

/** Labels in one line, sorted by name. */
export const describeLabels = (labels: Readonly<Record<string, string>>): string => Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, value]) => `${name}=${value}`).join(",");
