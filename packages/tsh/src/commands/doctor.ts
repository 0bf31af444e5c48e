import chalk from "chalk";
import { systemClock } from "@gatehouse/core/base";
import { BaseCommand, formatFlag } from "@gatehouse/core/client/command";
import { isFirstRefusal } from "@gatehouse/core/client/local-agent";
import { formatData, plainStyle, takesColor } from "@gatehouse/core/client/terminal";
import { proxyFlag } from "../command.ts";
import { describeFindings, examine, exitCodeFor, findingsData } from "../doctor/index.ts";

/** `tsh doctor` */
export class Doctor extends BaseCommand {
  static override summary = "Look for what is wrong, and say what to do about it";
  static override description = `Looks at the gateway, this machine's clock, the login and whether the gateway takes it, the keystore, the local agent, kubeconfig and kubectl, ssh and its configuration,
and the files of ~/.tsh. Changes nothing, and works without a login and without a network. The exit code is 0 where nothing failed, 3 where a login is all that is
missing, else 1.`;
  static override examples = ["<%= config.bin %> doctor", "<%= config.bin %> doctor --proxy=teleport.example.com", "<%= config.bin %> doctor --format=json"];
  static override flags = { ...proxyFlag, ...formatFlag };

  /** Looks, and prints what it found. */
  async run(): Promise<void> {
    const { flags } = await this.parse(Doctor);
    // Its finding says it.
    isFirstRefusal();
    const findings = await examine({ env: process.env, proxy: flags.proxy, now: systemClock.now() });
    if (flags.format === "text") this.output.stdout.write(describeFindings(findings, takesColor(process.stdout, process.env) ? chalk : plainStyle));
    else this.output.stdout.write(await formatData(findingsData(findings), flags.format));
    process.exitCode = exitCodeFor(findings);
  }
}
