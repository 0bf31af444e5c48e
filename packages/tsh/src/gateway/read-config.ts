import { readFile } from "node:fs/promises";
import { GatehouseError, fileProblem, limits, systemErrorCode } from "@gatehouse/core/base";
import { hostFacts, parseGatewayOptions, type GatewayConfig } from "@gatehouse/core/config";
import type { GatewayFlags } from "./flags.ts";

const defaultFile = "/etc/teleport.yaml";

async function readConfigFile(path: string | undefined): Promise<{ readonly text: string; readonly filename: string }> {
  const filename = path ?? defaultFile;
  try {
    const text = await readFile(filename, "utf8");
    if (text.length > limits.resourceFile) throw new GatehouseError("bad_parameter", `${filename} is larger than ${limits.resourceFile} bytes`);
    return { text, filename };
  } catch (error) {
    if (error instanceof GatehouseError) throw error;
    if (path === undefined && systemErrorCode(error) === "ENOENT") return { text: "", filename };
    throw new GatehouseError(systemErrorCode(error) === "ENOENT" ? "not_found" : "bad_parameter", `the configuration ${filename} ${fileProblem(error)}`, { hint: "name another one with -c, or start without: flags alone will do", cause: error });
  }
}

/** The configuration from file, environment and flags. Throws `not_found`, `bad_parameter` or `usage`, naming file, line and key, or the flag. */
export async function readGatewayConfig(flags: GatewayFlags): Promise<GatewayConfig> {
  const { text, filename } = await readConfigFile(flags.config);
  return parseGatewayOptions({ text, filename, overrides: flags, host: hostFacts() });
}
