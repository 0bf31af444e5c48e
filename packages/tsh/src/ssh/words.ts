import type { Interfaces } from "@oclif/core";

/**
 * Splits the words of a command that is written as `ssh` is: flags, then a host, then somebody else's command, whose flags are not ours. The host is the
 * first word that is neither a flag nor the value of one. `--` may stand before it.
 */
export function splitAtTarget(argv: readonly string[], flags: Interfaces.FlagInput): { readonly own: readonly string[]; readonly rest: readonly string[] } {
  const takesValue = new Map<string, boolean>();
  for (const [name, flag] of Object.entries(flags)) {
    takesValue.set(`--${name}`, flag.type === "option");
    if (flag.char !== undefined) takesValue.set(`-${flag.char}`, flag.type === "option");
  }
  /** Whether the next word is this one's value: `-p 22`, `-tp 22`, but not `-p22`. */
  const wantsNext = (word: string): boolean => {
    if (word.startsWith("--")) return !word.includes("=") && takesValue.get(word) === true;
    for (let at = 1; at < word.length; at++) if (takesValue.get(`-${word[at] ?? ""}`) === true) return at === word.length - 1;
    return false;
  };
  let at = 0;
  while (at < argv.length) {
    const word = argv[at] ?? "";
    if (word === "--") return { own: argv.slice(0, at), rest: argv.slice(at + 1) };
    if (!word.startsWith("-") || word === "-") break;
    at += wantsNext(word) ? 2 : 1;
  }
  return { own: argv.slice(0, at), rest: argv.slice(at) };
}
