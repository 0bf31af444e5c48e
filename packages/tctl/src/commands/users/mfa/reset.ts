import { Args } from "@oclif/core";
import { escapeLine } from "@gatehouse/core/base";
import { formatFlag } from "@gatehouse/core/client/command";
import { formatData } from "@gatehouse/core/client/terminal";
import { TctlCommand, connectFlags } from "../../../command.ts";

/** `tctl users mfa reset` */
export class UsersMfaReset extends TctlCommand {
  static override summary = "Remove all of a local user's second factors, and the recovery codes";
  static override description = "The password stays. Where the cluster asks for a second factor, the user needs a link to register one: tctl users reset.";
  static override examples = ["<%= config.bin %> users mfa reset alice"];
  static override args = { user: Args.string({ ignoreStdin: true, required: true, description: "the user's name" }) };
  static override flags = { ...connectFlags, ...formatFlag };

  /** Removes them. */
  async run(): Promise<void> {
    const { flags, args } = await this.parse(UsersMfaReset);
    const change = await (await this.connect(flags)).removeUserMfa(args.user, undefined);
    if (flags.format !== "text") {
      this.output.stdout.write(await formatData(change, flags.format));
      return;
    }
    this.done(`${escapeLine(args.user)} has no second factor and no recovery code any more${change.removed.length === 0 ? " (there was none)" : ""}`);
    if (!change.can_log_in) this.note([`the cluster asks for one at a login: tctl users reset ${args.user} makes a link to register one`]);
  }
}
