import { systemClock } from "@gatehouse/core/base";
import { mfaData, mfaTable, openSession } from "@gatehouse/core/client";
import { BaseCommand, formatFlag } from "@gatehouse/core/client/command";
import { formatData } from "@gatehouse/core/client/terminal";
import { loginFlags } from "../../command.ts";

/** `tsh mfa ls` */
export class MfaLs extends BaseCommand {
  static override summary = "List your second factors";
  static override examples = ["<%= config.bin %> mfa ls", "<%= config.bin %> mfa ls --format=json"];
  static override flags = { ...loginFlags, ...formatFlag };

  /** Prints them, and how many recovery codes are left. */
  async run(): Promise<void> {
    const { flags } = await this.parse(MfaLs);
    const { admin } = await openSession(process.env, flags, systemClock.now());
    const mine = await admin.mfa();
    this.output.stdout.write(flags.format === "text" ? mfaTable(mine, systemClock.now()) : await formatData(mfaData(mine), flags.format));
  }
}
