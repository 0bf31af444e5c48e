import { version } from "@gatehouse/core/base";
import { BaseCommand, formatFlag } from "@gatehouse/core/client/command";
import { formatData } from "@gatehouse/core/client/terminal";

/** `tctl version` */
export class Version extends BaseCommand {
  static override summary = "Print the version";
  static override examples = ["<%= config.bin %> version", "<%= config.bin %> version --format=json"];
  static override flags = formatFlag;

  /** Prints it. */
  async run(): Promise<void> {
    const { flags } = await this.parse(Version);
    const facts = { version, node: process.version, platform: `${process.platform}-${process.arch}` };
    if (flags.format === "text") this.output.stdout.write(`gatehouse ${version} (node ${facts.node}, ${facts.platform})\n`);
    else this.output.stdout.write(await formatData(facts, flags.format));
  }
}
