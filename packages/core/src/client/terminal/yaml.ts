import { stringify } from "yaml";

/** YAML without folded lines. In a file of its own: most commands never load the library. */
export function toYaml(value: unknown): string {
  return stringify(value, { lineWidth: 0 });
}
