import { Command, Flags } from "@oclif/core";
import { dataFormats, type DataFormat, type Output } from "../terminal/index.ts";
import { processOutput } from "./io.ts";

/** `-d`, on every command; the program looks at it where an error is printed. */
export const debugFlag = { debug: Flags.boolean({ char: "d", summary: "Show the causes of an error" }) };

/** `--format`, on every command that prints data. */
export const formatFlag = {
  format: Flags.custom<DataFormat>({ options: [...dataFormats], default: "text", summary: "How to print the result" })(),
};

/** A command: data goes to `output.stdout`, everything else to `output.stderr`. */
export abstract class BaseCommand extends Command {
  static override baseFlags = debugFlag;
  protected readonly output: Output = processOutput();
}
