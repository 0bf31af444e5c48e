import { execFile } from "node:child_process";
import { mkdir, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { promisify } from "node:util";
import { GatehouseError, errorMessage, escapeLine } from "@gatehouse/core/base";
import { writeFileAtomic } from "@gatehouse/core/client/lean";
import type { ServicePlan } from "./plan.ts";

/** Runs one command to its end; rejects where it fails. */
type Run = (words: readonly string[]) => Promise<void>;

/** ms that a service manager may take. */
const patience = 30_000;

const runCommand: Run = async ([file = "", ...args]) => {
  await promisify(execFile)(file, args, { timeout: patience, windowsHide: true });
};

/** The command's own words where it had any. */
function reason(error: unknown): string {
  const said = error instanceof Error && "stderr" in error ? String(error.stderr).trim() : "";
  return said === "" ? errorMessage(error) : said;
}

const failed = (what: string, { system }: ServicePlan, error: unknown): GatehouseError =>
  new GatehouseError("internal", `${system} did not ${what}: ${escapeLine(reason(error).slice(0, 500))}`, { hint: "commands start the agent by themselves all the same", cause: error });

/** Lets the system start the agent at every login of its person. Throws `internal` where the system refuses; nothing is left behind then. */
export async function installService(plan: ServicePlan, run: Run = runCommand): Promise<void> {
  if (plan.file) {
    await mkdir(dirname(plan.file.path), { recursive: true });
    await writeFileAtomic(plan.file.path, plan.file.text, 0o644);
  }
  try {
    for (const words of plan.enable) await run(words);
  } catch (error) {
    if (plan.file) await rm(plan.file.path, { force: true });
    throw failed("take the agent in", plan, error);
  }
}

/** Takes that back. Throws `internal` where the system refuses; the file is gone all the same. */
export async function uninstallService(plan: ServicePlan, run: Run = runCommand): Promise<void> {
  try {
    for (const words of plan.disable) await run(words);
  } catch (error) {
    throw failed("let the agent go", plan, error);
  } finally {
    if (plan.file) await rm(plan.file.path, { force: true });
  }
}
