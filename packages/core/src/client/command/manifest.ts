import type { Command, Interfaces } from "@oclif/core";
import type { ArgFacts, CommandFacts, FlagFacts, Manifest } from "../completion/index.ts";
import type { Program } from "./program.ts";

/** How the flag's value is written in help; what `helpValue` says, which may be a list. */
function valueOf(flag: Interfaces.FlagInput[string]): string | undefined {
  if (flag.type !== "option") return undefined;
  return typeof flag.helpValue === "string" ? flag.helpValue : "";
}

function flagFacts(name: string, flag: Interfaces.FlagInput[string]): FlagFacts {
  const value = valueOf(flag);
  return {
    name,
    ...(flag.char === undefined ? {} : { char: flag.char }),
    ...(flag.summary === undefined ? {} : { summary: flag.summary }),
    ...(value === undefined ? {} : { value }),
    ...(flag.type === "option" && flag.options !== undefined ? { options: [...flag.options] } : {}),
    ...(flag.type === "option" && flag.multiple === true ? { multiple: true as const } : {}),
    ...(flag.type === "boolean" && flag.allowNo ? { negatable: true as const } : {}),
  };
}

function commandFacts(command: Command.Class, summary: string, verbatim: true | undefined): CommandFacts {
  const flags = { ...command.baseFlags, ...command.flags } as Interfaces.FlagInput;
  const args = command.args;
  return {
    summary,
    flags: Object.entries(flags).filter(([, flag]) => flag.hidden !== true).map(([name, flag]) => flagFacts(name, flag)),
    args: Object.entries(args).map(([name, { options }]): ArgFacts => (options === undefined ? { name } : { name, options: [...options] })),
    ...(verbatim === undefined ? {} : { verbatim }),
  };
}

/** Every command with its flags and arguments, from the classes themselves; loads them all. For the build, and for tests that what was built is true. */
export async function describeProgram(program: Program): Promise<Manifest> {
  const commands = await Promise.all(
    Object.entries(program.commands).map(async ([id, { summary, verbatim, load }]) => [id, commandFacts(await load(), summary, verbatim)] as const),
  );
  return { version: 1, name: program.name, commands: Object.fromEntries(commands), topics: program.topics, leading: program.leading };
}
