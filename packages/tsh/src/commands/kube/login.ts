import { Args, Flags } from "@oclif/core";
import { GatehouseError, didYouMean, escapeLine, systemClock } from "@gatehouse/core/base";
import { openSession, readAccount, selectKubeContext, writeKubeEntries } from "@gatehouse/core/client";
import { BaseCommand } from "@gatehouse/core/client/command";
import { proxyFlag } from "../../command.ts";

/** `tsh kube login` */
export class KubeLogin extends BaseCommand {
  static override summary = "Make kubectl talk to a Kubernetes cluster";
  static override description = "Renews the entries in kubeconfig and selects the cluster's context.";
  static override examples = ["<%= config.bin %> kube login example-staging"];
  static override args = { cluster: Args.string({ ignoreStdin: true, required: true, description: "A cluster that tsh kube ls lists" }) };
  static override flags = { ...proxyFlag, embed: Flags.boolean({ summary: "Write key and certificate into kubeconfig itself, for tools that cannot run plugins" }) };

  /** Adds what is missing, then selects. */
  async run(): Promise<void> {
    const { args, flags } = await this.parse(KubeLogin);
    const { home, record, admin } = await openSession(process.env, flags.proxy, systemClock.now());
    const account = await readAccount(admin, record, undefined);
    const names = account.kubeClusters.map((cluster) => cluster.name);
    const update = await writeKubeEntries({ home, env: process.env, record, account, embed: flags.embed });
    const entry = update?.contexts.find((known) => known.cluster === args.cluster || known.context === args.cluster);
    if (!entry) {
      throw new GatehouseError("not_found", `the gateway knows no Kubernetes cluster "${escapeLine(args.cluster)}"${didYouMean(args.cluster, names)}`, { hint: names.length === 0 ? "tsh kube ls" : `it knows: ${names.map(escapeLine).join(", ")}` });
    }
    await selectKubeContext(process.env, entry.context);
    this.output.stderr.write(`${this.output.style.green("✔")} kubectl now talks to ${escapeLine(entry.cluster)} as ${escapeLine(record.username)}\n`);
    if (flags.embed && update) this.output.stderr.write(`  ${this.output.style.yellow("the private key is in")} ${update.file}, which only you can read now: keep it to yourself\n`);
    const refused = account.kubeClusters.find((cluster) => cluster.name === entry.cluster && cluster.groups.length === 0);
    if (refused) this.output.stderr.write(`  you will be refused there: ${escapeLine(refused.refused ?? "no role gives you a group")}\n`);
  }
}
