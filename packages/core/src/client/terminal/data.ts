import { GatehouseError, formatJson } from "../../base/index.ts";

/** Formats for people and programs. */
export const dataFormats = ["text", "json", "yaml"] as const;
export type DataFormat = (typeof dataFormats)[number];

/** Data for a program: JSON with two spaces, or YAML. `text` is the caller's own. Throws `usage` for it. */
export async function formatData(value: unknown, format: DataFormat): Promise<string> {
  if (format === "json") return `${formatJson(value, 2)}\n`;
  if (format === "text") throw new GatehouseError("usage", "text is not a format for programs");
  const { toYaml } = await import("./yaml.ts");
  return toYaml(value);
}
