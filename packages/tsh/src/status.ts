import { systemClock } from "@gatehouse/core/base";
import { chosenIdentity } from "@gatehouse/core/client/lean";
import { loadOutput } from "@gatehouse/core/client/main";
import { formatError } from "@gatehouse/core/client/terminal";
import { exitCodeOf, findLogins, showLogins, type LoginChoice } from "./logins.ts";
import { wakeAgent } from "./wake-agent.ts";
import { writeOut } from "./write-out.ts";

/** `--all`, or `--proxy`; undefined for any other words, wrong ones too. */
function parse(args: readonly string[]): LoginChoice | undefined {
  const words = args.length === 2 && args[0] === "--proxy" ? [`--proxy=${args[1] ?? ""}`] : args;
  if (words.length === 0) return { all: false };
  const [word = "", ...more] = words;
  if (more.length > 0) return undefined;
  if (word === "--all") return { all: true };
  const proxy = /^--proxy=([^-].*)$/s.exec(word)?.[1];
  return proxy === undefined ? undefined : { proxy, all: false };
}

/**
 * `tsh status` as people type it, without the framework, whose load they would wait for five times as long as for the answer. Returns the exit code; undefined where the framework is to
 * run it: for programs, for identity files, for words that it does not know. Throws what stands in the way.
 */
export async function status(args: readonly string[]): Promise<number | undefined> {
  const choice = parse(args);
  if (!choice || (!choice.all && chosenIdentity(process.env, undefined) !== undefined)) return undefined;
  const waking = wakeAgent(undefined, async (error) => writeOut(2, formatError(error, (await loadOutput()).style)));
  try {
    const now = systemClock.now();
    const logins = await findLogins(choice);
    showLogins(logins, choice.all, now, writeOut);
    return exitCodeOf(logins, choice.all, now);
  } finally {
    await waking;
  }
}
