import { GatehouseError, version } from "@gatehouse/core/base";
import { writeOut } from "./write-out.ts";

/** Prints the version: a line for people, or with `--format=json` an object. Returns the exit code. Throws `usage`. */
export function printVersion(args: readonly string[]): number {
  const [format = "--format=text", ...rest] = args.filter((argument) => argument !== "-d" && argument !== "--debug").join(" ").replace("--format ", "--format=").split(" ").filter((word) => word !== "");
  if (rest.length > 0 || !/^--format=(?:text|json|yaml)$/.test(format)) throw new GatehouseError("usage", `tsh version takes --format=text|json|yaml alone`);
  const facts = { version, node: process.version, platform: `${process.platform}-${process.arch}` };
  if (format === "--format=json") writeOut(1, `${JSON.stringify(facts, undefined, 2)}\n`);
  else if (format === "--format=yaml") writeOut(1, Object.entries(facts).map(([key, value]) => `${key}: ${value}\n`).join(""));
  else writeOut(1, `gatehouse ${version} (node ${facts.node}, ${facts.platform})\n`);
  return 0;
}
