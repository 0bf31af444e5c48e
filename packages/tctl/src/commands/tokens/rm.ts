import { Args } from "@oclif/core";
import { TctlCommand, connectFlags } from "../../command.ts";

/** `tctl tokens rm` */
export class TokensRm extends TctlCommand {
  static override summary = "Remove tokens";
  static override description = "By name, or by the id that tctl tokens ls shows. Logins that began with a token for jobs end with it.";
  static override usage = "tokens rm NAME|ID...";
  static override examples = ["<%= config.bin %> tokens rm deploy", "<%= config.bin %> tokens rm 5d1f0c2b9e7a"];
  static override strict = false;
  static override args = { token: Args.string({ ignoreStdin: true, required: true, description: "the token's name, or its id" }) };
  static override flags = connectFlags;

  /** Removes one after the other. */
  async run(): Promise<void> {
    const { argv, flags } = await this.parse(TokensRm);
    const admin = await this.connect(flags);
    for (const name of argv.map(String)) {
      const { name: shown } = await admin.remove({ kind: "token", name });
      this.done(`token ${shown} removed`);
    }
  }
}
