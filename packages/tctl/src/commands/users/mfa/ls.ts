import { Args } from "@oclif/core";
import { systemClock } from "@gatehouse/core/base";
import { mfaData, mfaTable } from "@gatehouse/core/client";
import { formatFlag } from "@gatehouse/core/client/command";
import { formatData } from "@gatehouse/core/client/terminal";
import { TctlCommand, connectFlags } from "../../../command.ts";

/** `tctl users mfa ls` */
export class UsersMfaLs extends TctlCommand {
  static override summary = "List a local user's second factors";
  static override examples = ["<%= config.bin %> users mfa ls alice"];
  static override args = { user: Args.string({ ignoreStdin: true, required: true, description: "the user's name" }) };
  static override flags = { ...connectFlags, ...formatFlag };

  /** Prints them, and how many recovery codes are left. */
  async run(): Promise<void> {
    const { flags, args } = await this.parse(UsersMfaLs);
    const theirs = await (await this.connect(flags)).userMfa(args.user);
    this.output.stdout.write(flags.format === "text" ? mfaTable(theirs, systemClock.now()) : await formatData(mfaData(theirs), flags.format));
  }
}
