/** What the programs tsh and tctl are made of: commands over oclif, standard streams, questions on the terminal device. */
export { runProgram } from "./program.ts";
export type { CommandEntry, Program } from "./program.ts";
export { BaseCommand, debugFlag, formatFlag } from "./flags.ts";
export { deviceOutput, devicePrompter, processOutput, withPrompter } from "./io.ts";
export { durationFlag } from "./usage.ts";
export { describeProgram } from "./manifest.ts";
export { CompletionCommand } from "./completion.ts";
