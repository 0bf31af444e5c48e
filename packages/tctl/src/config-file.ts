import { GatehouseError, errorMessage } from "@gatehouse/core/base";
import { YAMLParseError, parse } from "yaml";

/** `teleport.data_dir` of a configuration file, if it has one; the rest is the gateway's to check. Throws `bad_parameter` for what is not YAML. */
export function readDataDir(file: string, text: string): string | undefined {
  let config: unknown;
  try {
    config = parse(text, { maxAliasCount: 10 });
  } catch (error) {
    const [at] = error instanceof YAMLParseError ? (error.linePos ?? []) : [];
    const [what = ""] = errorMessage(error).split("\n", 1);
    const where = at === undefined ? "" : ` ${file}:${String(at.line)}:${String(at.col)}`;
    throw new GatehouseError("bad_parameter", `${file} is not valid YAML:${where} ${what.replace(/ at line \d+, column \d+:$/, "")}`, { cause: error });
  }
  const folder = (config as { readonly teleport?: { readonly data_dir?: unknown } | null } | null)?.teleport?.data_dir;
  return typeof folder === "string" ? folder : undefined;
}
