import { CommandHelp, Config, Help, type Command, type Interfaces } from "@oclif/core";
import { GatehouseError, escapeLine, nearest, outputError, systemErrorCode, version } from "../../base/index.ts";
import { formatError } from "../terminal/index.ts";
import { hoistFlags, splitLeading } from "./hoist.ts";
import { processOutput } from "./io.ts";
import { explainUsage } from "./usage.ts";

/** One command of the map: what root help says of it, and where it is. */
export interface CommandEntry {
  readonly summary: string;
  /** Words behind the first that is no flag may be somebody else's command: flags among them, `--help` too, are not for this program. */
  readonly verbatim?: true;
  readonly load: () => Promise<Command.Class>;
}

/** What oclif is told of a program, in place of a package.json that it would look for on disk. */
export interface Program {
  readonly name: string;
  readonly description: string;
  /** By id; `kube:ls` is `tsh kube ls`. */
  readonly commands: Readonly<Record<string, CommandEntry>>;
  readonly topics: Readonly<Record<string, string>>;
  /** Flags of every command that people write before the command's name too. `true`: a value follows. */
  readonly leading: Readonly<Record<string, boolean>>;
}

/** The framework's help repeats the summary, which stands at the top, and breaks lines where the source does. */
class DescribedCommand extends CommandHelp {
  protected override description(): string | undefined {
    const { description } = this.command;
    return description === undefined ? undefined : this.wrap(description.replaceAll("\n", " "));
  }
}

class ProgramHelp extends Help {
  protected override CommandHelpClass = DescribedCommand;
}

function loadable(id: string, entry: CommandEntry): Command.Loadable {
  return {
    id,
    summary: entry.summary,
    aliases: [],
    hiddenAliases: [],
    hidden: false,
    hasDynamicHelp: false,
    args: {},
    flags: {},
    async load() {
      const command = await entry.load();
      command.id = id;
      return command;
    },
  };
}

const named = <T extends object>(fields: Readonly<Record<string, T>> | undefined): Record<string, T & { name: string }> =>
  Object.fromEntries(Object.entries(fields ?? {}).map(([name, field]) => [name, { ...field, name }]));

/** A command as help wants it, loaded. */
async function described(id: string, entry: CommandEntry): Promise<Command.Loadable> {
  const command = await entry.load();
  const { summary, description, examples, usage } = command;
  const flags = named({ ...command.baseFlags, ...command.flags }) as Command.Loadable["flags"];
  const args = named(command.args) as Command.Loadable["args"];
  return { ...loadable(id, entry), summary, description, examples, flags, args, ...(usage === undefined ? {} : { usage }) };
}

function plugin(program: Program): Interfaces.Plugin {
  const commands = Object.entries(program.commands).map(([id, entry]) => loadable(id, entry));
  const pjson: Interfaces.PJSON = {
    name: program.name,
    version,
    description: program.description,
    oclif: { bin: program.name, dirname: "gatehouse", topicSeparator: " ", topics: {} },
  };
  return {
    _base: "",
    alias: program.name,
    name: program.name,
    version,
    pjson,
    root: import.meta.dirname,
    type: "core",
    moduleType: "module",
    isRoot: true,
    valid: true,
    hasManifest: false,
    hooks: {},
    options: { root: import.meta.dirname },
    commandsDir: undefined,
    commandIDs: commands.map((command) => command.id),
    commands,
    topics: Object.entries(program.topics).map(([name, description]) => ({ name, description })),
    load: () => Promise.resolve(),
    findCommand: ((id: string) => program.commands[id]?.load()) as Interfaces.Plugin["findCommand"],
  };
}

/** The id that the words begin with, the longest one, and the rest. */
function match(program: Program, argv: readonly string[]): { readonly id: string; readonly rest: readonly string[] } | undefined {
  const words = argv.slice(0, argv.findIndex((word) => word.startsWith("-")) >>> 0);
  for (let length = words.length; length > 0; length--) {
    const id = words.slice(0, length).join(":");
    if (Object.hasOwn(program.commands, id)) return { id, rest: argv.slice(length) };
  }
  return undefined;
}

const isTopic = (program: Program, words: readonly string[]): boolean => Object.hasOwn(program.topics, words.join(":"));

const isHelp = (word: string | undefined): boolean => word === "--help" || word === "-h";

const wantsHelp = (argv: readonly string[]): boolean => {
  const end = argv.indexOf("--");
  return (end < 0 ? argv : argv.slice(0, end)).some(isHelp);
};

async function showHelp(program: Program, config: Config, words: readonly string[]): Promise<void> {
  const help = new ProgramHelp(config);
  const found = match(program, words);
  const entry = found && program.commands[found.id];
  if (entry) await help.showCommandHelp(await described(found.id, entry));
  else if (words.length === 0 || isTopic(program, words)) await help.showHelp([...words]);
  else throw unknown(program, words);
}

/** A full disk is said once; a reader that has gone (`tctl get roles | head -1`) is no error. */
function watchOutput(): void {
  let reported = false;
  // The framework's own listener throws from outside any call.
  process.stdout.removeAllListeners("error").on("error", (error) => {
    if (systemErrorCode(error) === "EPIPE" || reported) return;
    reported = true;
    const { stderr, style } = processOutput();
    stderr.write(formatError(outputError(error), style));
    process.exitCode = 1;
  });
  process.stderr.removeAllListeners("error").on("error", () => undefined);
}

async function runCommand(program: Program, config: Config, id: string, args: readonly string[]): Promise<void> {
  try {
    await config.runCommand(id, [...args]);
  } catch (error) {
    throw explainUsage(error, `${program.name} ${id.replaceAll(":", " ")}`);
  }
}

/** Runs the command that the words name, or prints help. Throws what the command throws, `usage` for words that name none. */
export async function runProgram(program: Program, words: readonly string[]): Promise<void> {
  const argv = hoistFlags(words, program.leading);
  const root = plugin(program);
  const config = new Config({ root: root.root, plugins: new Map([[root.name, root]]), version });
  await config.load();
  watchOutput();
  const { moved, rest } = splitLeading(words, program.leading);
  const theirs = match(program, rest);
  if (theirs && program.commands[theirs.id]?.verbatim === true) {
    if (isHelp(theirs.rest[0])) return showHelp(program, config, theirs.id.split(":"));
    return runCommand(program, config, theirs.id, [...moved, ...theirs.rest]);
  }
  const [first] = argv;
  const found = first === "--version" ? { id: "version", rest: argv.slice(1) } : match(program, argv);
  if (first === "help") return showHelp(program, config, argv.slice(1));
  if (first === undefined || wantsHelp(argv)) return showHelp(program, config, argv.filter((word) => !word.startsWith("-")));
  if (found) return runCommand(program, config, found.id, found.rest);
  if (!isTopic(program, argv)) throw unknown(program, argv);
  await showHelp(program, config, argv);
}

function unknown(program: Program, argv: readonly string[]): GatehouseError {
  const given = argv.filter((word) => !word.startsWith("-"));
  const [first] = given;
  if (first === undefined) return new GatehouseError("usage", `${program.name} needs a command before ${escapeLine(argv[0] ?? "")}`, { hint: `${program.name} --help lists the commands` });
  if (isTopic(program, given)) return new GatehouseError("usage", `${program.name} ${given.join(" ")} needs one of its commands`, { hint: `${program.name} ${given.join(" ")} --help lists them` });
  let named = 1;
  while (named < given.length && isTopic(program, given.slice(0, named))) named++;
  const words = given.slice(0, named).join(" ");
  const best = nearest(words, Object.keys(program.commands).map((id) => id.replaceAll(":", " ")));
  return new GatehouseError("usage", `${program.name} has no command "${escapeLine(words)}"${best === undefined ? "" : `; did you mean: ${program.name} ${best}`}`, {
    hint: `${program.name} --help lists the commands`,
  });
}
