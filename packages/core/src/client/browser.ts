import { spawn } from "node:child_process";
import { once } from "node:events";
import { delimiter } from "node:path";
import { errorMessage } from "../base/index.ts";
import type { Environment } from "./lean/index.ts";

/** Splits a command into words at spaces; single and double quotes keep words together. No other shell syntax. */
export function splitCommand(command: string): readonly string[] {
  const words = command.match(/(?:[^\s"']+|"[^"]*"|'[^']*')+/g) ?? [];
  return words.map((word) => word.replace(/"([^"]*)"|'([^']*)'/g, (_, double: string | undefined, single: string | undefined) => double ?? single ?? ""));
}

/** The words to run for one element of `BROWSER`: `%s` is the address, which comes last where there is no `%s`. */
export function browserCommand(element: string, url: string): readonly string[] {
  const words = splitCommand(element);
  return words.some((word) => word.includes("%s")) ? words.map((word) => word.replaceAll("%s", url)) : [...words, url];
}

async function launch(words: readonly string[]): Promise<void> {
  const [program, ...args] = words;
  if (program === undefined) throw new Error("no program");
  const child = spawn(program, args, { stdio: "ignore", detached: true, shell: false });
  await once(child, "spawn");
  child.unref();
}

/**
 * Opens the address: with the program given, else with the first of `BROWSER` (a list, as PATH is) that starts, else with the system's
 * browser. Resolves with undefined, or with why none could be started; it is never waited for.
 */
export async function openBrowser(url: string, env: Environment, program: string | undefined): Promise<string | undefined> {
  const listed = program === undefined ? (env["BROWSER"] ?? "").split(delimiter).filter((element) => element.trim() !== "") : [program];
  let problem: string | undefined;
  for (const element of listed) {
    try {
      await launch(browserCommand(element, url));
      return undefined;
    } catch (error) {
      problem = errorMessage(error);
    }
  }
  if (listed.length > 0) return problem;
  try {
    const { default: open } = await import("open");
    const child = await open(url);
    if (child.pid === undefined) await once(child, "spawn");
    return undefined;
  } catch (error) {
    return errorMessage(error);
  }
}
