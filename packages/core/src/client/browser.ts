import { spawn } from "node:child_process";
import { once } from "node:events";
import { delimiter } from "node:path";
import { errorMessage } from "../base/index.ts";
import { noBrowserReason } from "./browser-advice.ts";
import type { Environment } from "./lean/index.ts";
import type { Place } from "./surroundings.ts";

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

/** The first of these commands that starts opens the address. Resolves with undefined, or with why the last one did not. */
async function firstThatStarts(commands: readonly (readonly string[])[]): Promise<string | undefined> {
  let problem: string | undefined;
  for (const words of commands) {
    try {
      await launch(words);
      return undefined;
    } catch (error) {
      problem = errorMessage(error);
    }
  }
  return problem;
}

/**
 * Opens the address: with the program given, else with the first of `BROWSER` (a list, as PATH is) that starts, else with the browser of the
 * place: the system's, or Windows' around WSL. Resolves with undefined, or with why none could be started; it is never waited for.
 */
export async function openBrowser(url: string, env: Environment, program: string | undefined, place: Place = { kind: "desktop" }): Promise<string | undefined> {
  const listed = program === undefined ? (env["BROWSER"] ?? "").split(delimiter).filter((element) => element.trim() !== "") : [program];
  if (listed.length > 0) return firstThatStarts(listed.map((element) => browserCommand(element, url)));
  const reason = noBrowserReason(place);
  if (reason !== undefined) return reason;
  if (place.kind === "wsl") return firstThatStarts(place.openers.map((words) => [...words, url]));
  try {
    const { default: open } = await import("open");
    const child = await open(url);
    if (child.pid === undefined) await once(child, "spawn");
    return undefined;
  } catch (error) {
    return errorMessage(error);
  }
}
