import { escapeLine, hasLabels, systemClock } from "@gatehouse/core/base";
import { openSession } from "@gatehouse/core/client";
import { formatFlag } from "@gatehouse/core/client/command";
import { formatData, formatTable } from "@gatehouse/core/client/terminal";
import { AgentCommand } from "../agent-command.ts";
import { loginFlags } from "../command.ts";
import { describeLabels, listNames, parseLabels } from "../text.ts";

/** `tsh ls` */
export class Ls extends AgentCommand {
  static override summary = "List hosts, and as whom you may log in there";
  static override description = "Those that your roles let you log in to. With labels, those alone that have all of them.";
  static override usage = "ls [LABEL=VALUE...] [--format json|yaml] [--proxy <gateway>]";
  static override examples = ["<%= config.bin %> ls", "<%= config.bin %> ls env=staging", "<%= config.bin %> ls --format=json"];
  static override strict = false;
  static override flags = { ...loginFlags, ...formatFlag };

  /** Asks the gateway where the person may log in now. */
  async run(): Promise<void> {
    const { argv, flags } = await this.parse(Ls);
    this.wakeAgent(flags.identity);
    const wanted = parseLabels(argv.map(String), "hosts are chosen by label=value, such as: tsh ls env=staging");
    const { admin } = await openSession(process.env, flags, systemClock.now());
    const all = await admin.nodes();
    const hosts = all.filter(({ labels }) => hasLabels(labels, wanted));
    if (flags.format !== "text") {
      this.output.stdout.write(await formatData(hosts, flags.format));
      return;
    }
    if (hosts.length > 0) {
      this.output.stdout.write(formatTable(["HOST", "ADDRESS", "LABELS", "LOGINS"], hosts.map(({ hostname, addr, labels, logins }) => [hostname, addr, describeLabels(labels), listNames(logins)])));
      return;
    }
    this.output.stderr.write(all.length > 0 ? `none of ${String(all.length)} hosts has ${escapeLine(wanted.map((term) => term.join("=")).join(" and "))}\n` : "there is no host that you may log in to\n");
  }
}
