import { GatehouseError, escapeLine } from "@gatehouse/core/base";

/** Names of a comma-separated list, each once. */
export const splitNames = (text: string | undefined): string[] => [...new Set((text ?? "").split(",").map((name) => name.trim()).filter((name) => name !== ""))];

/** `env=staging,rack=*`: labels and their values. Throws `usage`. */
export function parseLabels(flag: string, text: string | undefined): Readonly<Record<string, string>> {
  const pairs = splitNames(text).map((pair) => {
    const at = pair.indexOf("=");
    if (at < 1) throw new GatehouseError("usage", `${flag}: "${escapeLine(pair)}" is not label=value`, { hint: `write it as ${flag}=env=staging,tier=web` });
    return [pair.slice(0, at).trim(), pair.slice(at + 1).trim()] as const;
  });
  return Object.fromEntries(pairs);
}
