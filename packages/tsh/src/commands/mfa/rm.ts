import { Args, Flags } from "@oclif/core";
import { systemClock } from "@gatehouse/core/base";
import { mfaTable, openSession } from "@gatehouse/core/client";
import { BaseCommand, formatFlag } from "@gatehouse/core/client/command";
import { loginFlags } from "../../command.ts";
import { openMfaPage } from "../../mfa.ts";

/** `tsh mfa rm 'my phone'` */
export class MfaRm extends BaseCommand {
  static override summary = "Remove one of your second factors";
  static override description = "Opens a page, good once, where you show your password and a second factor. The last one that the cluster asks for cannot be removed.";
  static override examples = ["<%= config.bin %> mfa rm 'my phone'"];
  static override args = { name: Args.string({ ignoreStdin: true, required: true, description: "its name, as tsh mfa ls shows it" }) };
  static override flags = { ...loginFlags, ...formatFlag, browser: Flags.string({ summary: "none prints the link alone; else a program to open it with", helpValue: "none|<program>" }) };

  /** Opens the page and waits for it. */
  async run(): Promise<void> {
    const { flags, args } = await this.parse(MfaRm);
    const { admin } = await openSession(process.env, flags, systemClock.now());
    const mine = await openMfaPage({ admin, output: this.output, format: flags.format, browser: flags.browser }, { purpose: "remove", device: args.name });
    if (!mine) return;
    this.output.stderr.write(`${this.output.style.green("✔")} removed\n`);
    this.output.stdout.write(mfaTable(mine, systemClock.now()));
  }
}
