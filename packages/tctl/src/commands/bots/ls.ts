import { formatFlag } from "@gatehouse/core/client/command";
import { formatData } from "@gatehouse/core/client/terminal";
import { TctlCommand, connectFlags } from "../../command.ts";
import { botTable, readItems } from "../../resources.ts";

/** `tctl bots ls` */
export class BotsLs extends TctlCommand {
  static override summary = "List bots";
  static override examples = ["<%= config.bin %> bots ls", "<%= config.bin %> bots ls --format=json"];
  static override flags = { ...connectFlags, ...formatFlag };

  /** Prints every bot. */
  async run(): Promise<void> {
    const { flags } = await this.parse(BotsLs);
    const bots = readItems(await (await this.connect(flags)).get({ kind: "bot" }, false)).map(({ resource }) => resource).filter((resource) => resource.kind === "bot");
    if (flags.format === "text") this.output.stdout.write(botTable(bots));
    else this.output.stdout.write(await formatData(bots.map(({ metadata, spec }) => ({ name: metadata.name, user: `bot:${metadata.name}`, roles: spec.roles, traits: spec.traits, max_ttl_seconds: (spec.max_ttl === 0 ? 3_600_000 : spec.max_ttl) / 1000, expires: metadata.expires })), flags.format));
  }
}
