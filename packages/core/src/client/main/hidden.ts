/** First word of the hidden command that a shell's script runs: the shell and its words follow. */
export const completeCommand = "__complete";
/** First word of the hidden command that fetches names: key and kinds follow. */
export const fetchCommand = "__names";
/** The hidden command that the build runs. */
const describeCommand = "__commands";

/** A program's hidden commands, each in a module that is loaded when it runs. They return their exit codes. */
export interface HiddenCommands {
  complete(): Promise<{ complete(args: readonly string[]): Promise<number> }>;
  fetch(): Promise<{ fetchAndKeep(args: readonly string[]): Promise<number> }>;
  describe(): Promise<{ printCommands(): Promise<number> }>;
}

/** Runs a command that people do not type: the shells' scripts, completion itself and the build do. Its words may hold anything. Returns its exit code; undefined for every other command. */
export async function runHidden(argv: readonly string[], commands: HiddenCommands): Promise<number | undefined> {
  switch (argv[0]) {
    case completeCommand:
      return (await commands.complete()).complete(argv.slice(1));
    case fetchCommand:
      return (await commands.fetch()).fetchAndKeep(argv.slice(1));
    case describeCommand:
      return (await commands.describe()).printCommands();
  }
  return undefined;
}
