import { Flags } from "@oclif/core";
import { systemClock } from "@gatehouse/core/base";
import { mfaTable, openSession } from "@gatehouse/core/client";
import { BaseCommand, formatFlag } from "@gatehouse/core/client/command";
import { loginFlags } from "../../command.ts";
import { openMfaPage } from "../../mfa.ts";

/** `tsh mfa codes` */
export class MfaCodes extends BaseCommand {
  static override summary = "Get new recovery codes";
  static override description = "Opens a page, good once, that shows ten new codes after you have shown your password and a second factor. Those that you had stop working.";
  static override examples = ["<%= config.bin %> mfa codes"];
  static override flags = { ...loginFlags, ...formatFlag, browser: Flags.string({ summary: "none prints the link alone; else a program to open it with", helpValue: "none|<program>" }) };

  /** Opens the page and waits for it. */
  async run(): Promise<void> {
    const { flags } = await this.parse(MfaCodes);
    const { admin } = await openSession(process.env, flags, systemClock.now());
    const mine = await openMfaPage({ admin, output: this.output, format: flags.format, browser: flags.browser }, { purpose: "codes" });
    if (!mine) return;
    this.output.stderr.write(`${this.output.style.green("✔")} you have new recovery codes\n`);
    this.output.stdout.write(mfaTable(mine, systemClock.now()));
  }
}
