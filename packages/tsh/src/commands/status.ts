import { Flags } from "@oclif/core";
import { systemClock } from "@gatehouse/core/base";
import { chosenIdentity, kubeContexts } from "@gatehouse/core/client";
import { formatData, type DataFormat } from "@gatehouse/core/client/terminal";
import { formatFlag } from "@gatehouse/core/client/command";
import { AgentCommand } from "../agent-command.ts";
import { loginFlags } from "../command.ts";
import { readIdentity } from "../identity.ts";
import { exitCodeOf, findLogins, showLogins } from "../logins.ts";
import { describeStatus, statusData, type ShownLogin } from "../status-text.ts";

/** `tsh status` */
export class Status extends AgentCommand {
  static override summary = "Show who is logged in where, and until when";
  static override description = `Reads this machine alone: the login of the gateway asked about (the current one) first, then every other that is kept here. The exit code is 3 where the
first has no login that is still valid, or the local agent is locked. For programs the first is one object, with the rest in its field others; --all makes a list of them all.`;
  static override examples = ["<%= config.bin %> status", "<%= config.bin %> status --format=json"];
  static override flags = { ...loginFlags, ...formatFlag, all: Flags.boolean({ summary: "Every gateway alike: no exit code 3, and a list for programs", exclusive: ["proxy", "identity"] }) };

  /** Prints the logins; of words that people type most, main does so itself without oclif. */
  async run(): Promise<void> {
    const { flags } = await this.parse(Status);
    this.wakeAgent(flags.identity);
    const now = systemClock.now();
    const file = flags.all ? undefined : chosenIdentity(process.env, flags.identity);
    if (file !== undefined) return this.identity(file, flags.proxy, flags.format);
    const { all } = flags;
    const logins = await findLogins({ proxy: flags.proxy, all });
    if (flags.format === "text") {
      showLogins(logins, all, now, (descriptor, text) => (descriptor === 1 ? this.output.stdout : this.output.stderr).write(text));
    } else {
      const data = logins.map((login) => statusData(login, now));
      this.output.stdout.write(await formatData(all ? data : { ...data[0], others: data.slice(1) }, flags.format));
    }
    process.exitCode = exitCodeOf(logins, all, now);
  }

  private async identity(file: string, proxy: string | undefined, format: DataFormat): Promise<void> {
    const now = systemClock.now();
    const found = await readIdentity(file, proxy, now);
    const { contexts } = await kubeContexts(process.env, found.record.proxy);
    const login: ShownLogin = { ...found, contexts, current: false, kept: false, file };
    this.output.stdout.write(format === "text" ? describeStatus(login, now) : await formatData(statusData(login, now), format));
  }
}
