import { escapeLine, hasLabels, systemClock } from "@gatehouse/core/base";
import { kubeContexts, kubeContextName, openSession } from "@gatehouse/core/client";
import { formatData, formatTable } from "@gatehouse/core/client/terminal";
import { formatFlag } from "@gatehouse/core/client/command";
import { AgentCommand } from "../../agent-command.ts";
import { loginFlags } from "../../command.ts";
import { describeLabels, listNames, noGroups, parseLabels } from "../../text.ts";

/** `tsh kube ls` */
export class KubeLs extends AgentCommand {
  static override summary = "List Kubernetes clusters and your groups there";
  static override description = "With labels, those clusters alone that have all of them.";
  static override usage = "kube ls [LABEL=VALUE...] [--format json|yaml] [--proxy <gateway>]";
  static override examples = ["<%= config.bin %> kube ls", "<%= config.bin %> kube ls env=prod", "<%= config.bin %> kube ls --format=json"];
  static override strict = false;
  static override flags = { ...loginFlags, ...formatFlag };

  /** Asks the gateway what the person may be in each cluster now. */
  async run(): Promise<void> {
    const { argv, flags } = await this.parse(KubeLs);
    this.wakeAgent(flags.identity);
    const wanted = parseLabels(argv.map(String), "clusters are chosen by label=value, such as: tsh kube ls env=prod");
    const { admin, profile, record } = await openSession(process.env, flags, systemClock.now());
    const { kubernetes } = await admin.whoami();
    const { contexts, current } = await kubeContexts(process.env, profile.web_proxy_addr);
    const chosen = kubernetes.clusters.filter(({ labels }) => hasLabels(labels, wanted));
    const rows = chosen.map(({ name, groups, healthy, labels, problem, refused, users }) => {
      const context = kubeContextName(contexts, { gatehouseCluster: record.cluster, proxy: record.proxy }, name);
      return { name, labels, groups, users, refused, healthy, problem, default: kubernetes.default_cluster === name, context, selected: context !== undefined && context === current };
    });
    if (flags.format !== "text") {
      this.output.stdout.write(await formatData(rows, flags.format));
      return;
    }
    this.output.stdout.write(
      formatTable(
        ["", "CLUSTER", "LABELS", "STATE", "GROUPS", "CONTEXT"],
        rows.map(({ context, groups, healthy, labels, name, problem, refused, selected }) => [
          selected ? "*" : "",
          name,
          describeLabels(labels),
          healthy === false ? `✖ ${problem ?? "does not work"}` : healthy === true ? "✔" : "",
          groups.length > 0 ? listNames(groups) : noGroups(refused),
          context ?? (groups.length > 0 ? "not in kubeconfig" : "-"),
        ]),
      ),
    );
    if (!kubernetes.enabled) this.output.stderr.write("this gateway offers no Kubernetes\n");
    else if (rows.length === 0 && wanted.length > 0) this.output.stderr.write(`none of ${kubernetes.clusters.length} clusters has ${escapeLine(wanted.map((term) => term.join("=")).join(" and "))}\n`);
  }
}
