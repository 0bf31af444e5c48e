import { systemClock } from "@gatehouse/core/base";
import { kubeContexts, kubeContextName, openSession } from "@gatehouse/core/client";
import { formatData, formatTable } from "@gatehouse/core/client/terminal";
import { BaseCommand, formatFlag } from "@gatehouse/core/client/command";
import { proxyFlag } from "../../command.ts";
import { listNames, noGroups } from "../../text.ts";

/** `tsh kube ls` */
export class KubeLs extends BaseCommand {
  static override summary = "List Kubernetes clusters and your groups there";
  static override examples = ["<%= config.bin %> kube ls", "<%= config.bin %> kube ls --format=json"];
  static override flags = { ...proxyFlag, ...formatFlag };

  /** Asks the gateway what the person may be in each cluster now. */
  async run(): Promise<void> {
    const { flags } = await this.parse(KubeLs);
    const { admin, profile, record } = await openSession(process.env, flags.proxy, systemClock.now());
    const { kubernetes } = await admin.whoami();
    const { contexts, current } = await kubeContexts(process.env, profile.web_proxy_addr);
    const rows = kubernetes.clusters.map(({ name, groups, refused, labels }) => {
      const context = kubeContextName(contexts, { gatehouseCluster: record.cluster, proxy: record.proxy }, name);
      return { name, groups, refused, labels, context, selected: context !== undefined && context === current };
    });
    if (flags.format !== "text") {
      this.output.stdout.write(await formatData(rows, flags.format));
      return;
    }
    this.output.stdout.write(
      formatTable(
        ["", "CLUSTER", "GROUPS", "CONTEXT"],
        rows.map((row) => [row.selected ? "*" : "", row.name, row.groups.length > 0 ? listNames(row.groups) : noGroups(row.refused), row.context ?? "not in kubeconfig"]),
      ),
    );
    if (!kubernetes.enabled) this.output.stderr.write("this gateway offers no Kubernetes\n");
  }
}
