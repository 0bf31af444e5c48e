import type { Interfaces } from "@oclif/core";
import { GatehouseError, escapeLine, nearest, parseDuration } from "../../base/index.ts";

/** What the framework's errors carry beside their message. */
interface FrameworkError extends Error {
  readonly oclif?: unknown;
  readonly flags?: readonly string[];
  readonly args?: readonly (string | { readonly name: string; readonly description?: string })[];
  readonly parse?: { readonly input?: { readonly flags?: Interfaces.FlagInput } };
}

/** `; did you mean --proxy?` for a flag that nearly exists. */
function meant(flag: string, { parse }: FrameworkError): string {
  const best = nearest(flag.replace(/^-+/, ""), Object.keys(parse?.input?.flags ?? {}));
  return best === undefined ? "" : `; did you mean --${best}?`;
}

function unknownFlag(command: string, error: FrameworkError): string {
  const names = (error.flags ?? []).map((flag) => flag.split("=", 1)[0] ?? "");
  const [only = ""] = names;
  return names.length === 1 ? `${command} has no flag ${escapeLine(only)}${meant(only, error)}` : `${command} has no flags ${names.map(escapeLine).join(", ")}`;
}

const argument = (arg: NonNullable<FrameworkError["args"]>[number]): string => {
  if (typeof arg === "string") return `"${escapeLine(arg)}"`;
  return `${arg.name.toUpperCase()}${arg.description === undefined ? "" : `: ${arg.description}`}`;
};

/** `--out=<file>` for the flag that the framework calls `out`. */
function flagName(name: string, { parse }: FrameworkError): string {
  const flag = parse?.input?.flags?.[name];
  const value = flag?.type === "option" ? flag.helpValue : undefined;
  return typeof value === "string" ? `--${name}=${value}` : `--${name}`;
}

function words(command: string, error: FrameworkError): string | undefined {
  const args = (error.args ?? []).map(argument);
  switch (error.constructor.name) {
    case "NonExistentFlagsError":
      return unknownFlag(command, error);
    case "UnexpectedArgsError":
      return `${command} does not know what to do with ${args.join(", ")}`;
    case "RequiredArgsError":
      return `${command} needs ${args.join("\n")}`;
  }
  const [message = "", ...more] = error.message.split("\n").filter((line) => !/^See more help/.test(line));
  const both = /(--[a-z0-9-]+)\S* cannot also be provided when using (--[a-z0-9-]+)/.exec(more.join("\n"));
  if (both) return `${both[1]} and ${both[2]} exclude each other`;
  const missing = [...more.join("\n").matchAll(/Missing required flag ([a-z0-9-]+)/g)].map(([, name = ""]) => flagName(name, error));
  if (missing.length > 0) return `${command} needs ${missing.join(" and ")}`;
  const option = /^Expected (--[a-z0-9-]+)=(.*) to be one of: (.*)$/s.exec(message);
  if (option) return `${option[1]} is one of ${option[3]}, not "${escapeLine(option[2] ?? "")}"`;
  const word = /^Expected (.*) to be one of: (.*)$/s.exec(message);
  if (word) return `${command} takes ${word[2]}, not "${escapeLine(word[1] ?? "")}"`;
  const number = /^Parsing (--[a-z0-9-]+)\s+Expected an integer (.*?)(?:but received|received|$).*?:? ?(\S*)$/s.exec(error.message.replace(/\nSee more help.*$/s, ""));
  if (number) return `${number[1]} is a whole number${(number[2] ?? "").trim() === "" ? "" : ` ${(number[2] ?? "").trim()}`}, not "${escapeLine(number[3] ?? "")}"`;
  const value = /^Flag (--[a-z0-9-]+) expects (?:a value|one of these values: (.*))$/.exec(message);
  const twice = /^Flag (--[a-z0-9-]+) can only be specified once$/.exec(message);
  if (twice) return `${twice[1]} is given twice`;
  if (value) return `${value[1]} needs a value${value[2] === undefined ? "" : `: ${value[2]}`}`;
  return undefined;
}

/** The framework's error about a command's words, in ours; anything else as it is. `command` is as people write it: `tctl users add`. */
export function explainUsage(thrown: unknown, command: string): unknown {
  if (!(thrown instanceof Error) || !("oclif" in thrown)) return thrown;
  const message = words(command, thrown);
  return message === undefined ? thrown : new GatehouseError("usage", message, { hint: `${command} --help shows what it takes`, cause: thrown });
}

/** ms of a flag's duration. Throws `usage` with the flag's name for what is none, or is not within the limits (ms). */
export function durationFlag(flag: string, text: string, within?: { readonly min: number; readonly max: number; readonly words: string }): number {
  let ms: number;
  try {
    ms = parseDuration(text);
  } catch (error) {
    throw new GatehouseError("usage", `${flag}: "${escapeLine(text.slice(0, 100))}" is not a duration`, { hint: "write it as 30m, 12h or 1h30m0s", cause: error });
  }
  if (within && !(ms >= within.min && ms <= within.max)) throw new GatehouseError("usage", `${flag}=${escapeLine(text)}: it is ${within.words}`);
  return ms;
}
