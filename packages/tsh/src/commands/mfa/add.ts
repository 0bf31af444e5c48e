import { Flags } from "@oclif/core";
import { systemClock } from "@gatehouse/core/base";
import { mfaTable, openSession } from "@gatehouse/core/client";
import { BaseCommand, formatFlag } from "@gatehouse/core/client/command";
import { loginFlags } from "../../command.ts";
import { openMfaPage } from "../../mfa.ts";

/** `tsh mfa add` */
export class MfaAdd extends BaseCommand {
  static override summary = "Add a second factor";
  static override description = "Opens a page, good once, where you show your password and a second factor that you have, and register an authenticator app or a security key.";
  static override examples = ["<%= config.bin %> mfa add"];
  static override flags = { ...loginFlags, ...formatFlag, browser: Flags.string({ summary: "none prints the link alone; else a program to open it with", helpValue: "none|<program>" }) };

  /** Opens the page and waits for it. */
  async run(): Promise<void> {
    const { flags } = await this.parse(MfaAdd);
    const { admin } = await openSession(process.env, flags, systemClock.now());
    const mine = await openMfaPage({ admin, output: this.output, format: flags.format, browser: flags.browser }, { purpose: "add" });
    if (!mine) return;
    this.output.stderr.write(`${this.output.style.green("✔")} added\n`);
    this.output.stdout.write(mfaTable(mine, systemClock.now()));
  }
}
