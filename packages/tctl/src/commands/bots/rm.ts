import { Args } from "@oclif/core";
import { TctlCommand, connectFlags } from "../../command.ts";
import { withNearest } from "../../resources.ts";

/** `tctl bots rm` */
export class BotsRm extends TctlCommand {
  static override summary = "Remove bots";
  static override description = "Ends their logins and what they have open at once. Tokens that name them stay, and let nobody in.";
  static override usage = "bots rm NAME...";
  static override examples = ["<%= config.bin %> bots rm ci"];
  static override strict = false;
  static override args = { name: Args.string({ ignoreStdin: true, required: true, description: "the bot's name" }) };
  static override flags = connectFlags;

  /** Removes one after the other. */
  async run(): Promise<void> {
    const { argv, flags } = await this.parse(BotsRm);
    const admin = await this.connect(flags);
    for (const name of argv.map(String)) {
      await withNearest(admin, { kind: "bot", name }, () => admin.remove({ kind: "bot", name }));
      this.done(`bot ${name} removed`);
    }
  }
}
