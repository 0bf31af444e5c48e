import { BaseCommand, formatFlag } from "@gatehouse/core/client/command";
import { printVersion } from "../version.ts";

/** `tsh version`, for its help: main runs the command itself without oclif. */
export class Version extends BaseCommand {
  static override summary = "Print the version";
  static override examples = ["<%= config.bin %> version", "<%= config.bin %> version --format=json"];
  static override flags = { ...formatFlag };

  /** As main does. */
  async run(): Promise<void> {
    await this.parse(Version);
    process.exitCode = printVersion(this.argv);
  }
}
