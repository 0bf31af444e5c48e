import { GatehouseError, escapeLine, readLabels } from "@gatehouse/core/base";

/** Names of a comma-separated list, each once. */
export const splitNames = (text: string | undefined): string[] => [...new Set((text ?? "").split(",").map((name) => name.trim()).filter((name) => name !== ""))];

/** `env=staging,rack=*`: labels and their values; none where there is no text. Throws `usage`. */
export function parseLabels(flag: string, text: string | undefined): Readonly<Record<string, string>> {
  const labels = text === undefined ? [] : readLabels(text);
  if (!labels) throw new GatehouseError("usage", `${flag}: "${escapeLine(text ?? "")}" is not label=value`, { hint: "write it as env=staging,tier=web" });
  return Object.fromEntries(labels);
}
