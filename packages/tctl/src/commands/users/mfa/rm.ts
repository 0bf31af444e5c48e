import { Args } from "@oclif/core";
import { escapeLine } from "@gatehouse/core/base";
import { formatFlag } from "@gatehouse/core/client/command";
import { formatData } from "@gatehouse/core/client/terminal";
import { TctlCommand, connectFlags } from "../../../command.ts";

/** `tctl users mfa rm` */
export class UsersMfaRm extends TctlCommand {
  static override summary = "Remove one of a local user's second factors";
  static override description = "For a lost phone or key. Sessions that are under way stay; tctl users reset ends them too.";
  static override examples = ["<%= config.bin %> users mfa rm alice 'my phone'"];
  static override args = {
    user: Args.string({ ignoreStdin: true, required: true, description: "the user's name" }),
    name: Args.string({ ignoreStdin: true, required: true, description: "the second factor's name, as tctl users mfa ls shows it" }),
  };
  static override flags = { ...connectFlags, ...formatFlag };

  /** Removes it. */
  async run(): Promise<void> {
    const { flags, args } = await this.parse(UsersMfaRm);
    const change = await (await this.connect(flags)).removeUserMfa(args.user, args.name);
    if (flags.format !== "text") {
      this.output.stdout.write(await formatData(change, flags.format));
      return;
    }
    this.done(`"${escapeLine(args.name)}" of ${escapeLine(args.user)} does not work any more`);
    if (!change.can_log_in) this.note([`${args.user} has nothing left that the cluster asks for at a login: tctl users reset ${args.user} makes a link`]);
  }
}
