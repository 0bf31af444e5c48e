import { systemClock } from "@gatehouse/core/base";
import { openSession } from "@gatehouse/core/client";
import { formatData, formatTable } from "@gatehouse/core/client/terminal";
import { formatFlag } from "@gatehouse/core/client/command";
import { AgentCommand } from "../agent-command.ts";
import { loginFlags } from "../command.ts";
import { shortProxy } from "../text.ts";

/** `tsh clusters` */
export class Clusters extends AgentCommand {
  static override summary = "List the clusters behind the gateway";
  static override examples = ["<%= config.bin %> clusters", "<%= config.bin %> clusters --format=json"];
  static override flags = { ...loginFlags, ...formatFlag };

  /** Asks the gateway and prints its cluster. */
  async run(): Promise<void> {
    const { flags } = await this.parse(Clusters);
    this.wakeAgent(flags.identity);
    const { admin, profile } = await openSession(process.env, flags, systemClock.now());
    const who = await admin.whoami();
    const clusters = [{ name: who.cluster, gateway: profile.web_proxy_addr, status: "online", kubernetes_clusters: who.kubernetes.clusters.map((cluster) => cluster.name) }];
    this.output.stdout.write(
      flags.format === "text"
        ? formatTable(["CLUSTER", "GATEWAY", "STATUS", "KUBERNETES"], clusters.map((cluster) => [cluster.name, shortProxy(cluster.gateway), cluster.status, String(cluster.kubernetes_clusters.length)]))
        : await formatData(clusters, flags.format),
    );
  }
}
