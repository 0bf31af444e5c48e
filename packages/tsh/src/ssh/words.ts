import type { Interfaces } from "@oclif/core";

/**
 * Splits the words of a command that is written as `ssh` is: flags, then a host, then somebody else's command, whose flags are not ours. The host is the
 * first word that is neither a flag nor the value of one. As for `ssh`, `--` may stand before it or before the command, and without that flags before the
 * command are ours as well: no command begins with a dash.
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
  /** Where the flags from here on end. */
  const flagsEnd = (from: number): number => {
    let at = from;
    while (at < argv.length) {
      const word = argv[at] ?? "";
      if (word === "--" || !word.startsWith("-") || word === "-") break;
      at += wantsNext(word) ? 2 : 1;
    }
    return at;
  };
  const first = flagsEnd(0);
  const own = argv.slice(0, first);
  const host = argv[first] === "--" ? first + 1 : first;
  const target = argv.slice(host, host + 1);
  const second = host === first ? flagsEnd(host + 1) : host + 1;
  const command = argv[second] === "--" ? second + 1 : second;
  return { own: [...own, ...argv.slice(host + 1, second)], rest: [...target, ...argv.slice(command)] };
}
