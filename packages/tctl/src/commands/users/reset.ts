import { Args, Flags } from "@oclif/core";
import { systemClock } from "@gatehouse/core/base";
import { formatFlag } from "@gatehouse/core/client/command";
import { describeEnd, formatData } from "@gatehouse/core/client/terminal";
import { TctlCommand, connectFlags } from "../../command.ts";
import { inviteTtl } from "../../resources.ts";

/** `tctl users reset` */
export class UsersReset extends TctlCommand {
  static override summary = "Take a user's password and second factors away and invite them to choose others";
  static override examples = ["<%= config.bin %> users reset alice"];
  static override args = { name: Args.string({ ignoreStdin: true, required: true, description: "the user's name" }) };
  static override flags = { ...connectFlags, ...formatFlag, ttl: Flags.string({ default: "1h", summary: "How long the link works, 48h at most", helpValue: "<duration>" }) };

  /** Resets and prints the link. */
  async run(): Promise<void> {
    const { flags, args } = await this.parse(UsersReset);
    const ttl = inviteTtl(flags.ttl);
    const invite = await (await this.connect(flags)).resetUser(args.name, ttl);
    if (flags.format !== "text") {
      this.output.stdout.write(await formatData({ ...invite, expires: new Date(invite.expires).toISOString() }, flags.format));
      return;
    }
    this.done(`the password of ${invite.user} is gone, and any second factor with it. Send them this link; it works once, until ${describeEnd(invite.expires, systemClock.now())}:`);
    this.output.stdout.write(`${invite.url}\n`);
  }
}
