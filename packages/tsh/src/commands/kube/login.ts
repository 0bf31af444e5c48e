import { Args, Flags } from "@oclif/core";
import { GatehouseError, escapeLine, systemClock } from "@gatehouse/core/base";
import { openSession, readAccount, refreshLauncher, writeKubeEntries, type Account, type KubeUpdate } from "@gatehouse/core/client";
import { AgentCommand } from "../../agent-command.ts";
import { loginFlags } from "../../command.ts";
import { chooseKubeCluster, selectKubeCluster } from "../../kube-choice.ts";
import { runningProgram } from "../../program.ts";
import { listNames } from "../../text.ts";

/** `tsh kube login` */
export class KubeLogin extends AgentCommand {
  static override summary = "Make kubectl talk to a Kubernetes cluster";
  static override description = `Adds the cluster to kubeconfig and selects its context; with --all adds every cluster that you may use, and selects one only where none
is selected. Entries that are there already are renewed, and those of clusters that are gone, or closed to you, removed. With an identity file the
entries name that file by its absolute path.`;
  static override examples = ["<%= config.bin %> kube login staging", "<%= config.bin %> kube login --all"];
  static override args = { cluster: Args.string({ ignoreStdin: true, required: false, description: "A cluster that tsh kube ls lists" }) };
  static override flags = {
    ...loginFlags,
    all: Flags.boolean({ summary: "Every cluster that you may use" }),
    embed: Flags.boolean({ summary: "Write key and certificate into kubeconfig itself, for tools that cannot run plugins" }),
  };

  /** Adds what is missing, then selects. */
  async run(): Promise<void> {
    const { args, flags } = await this.parse(KubeLogin);
    this.wakeAgent(flags.identity);
    if (args.cluster === undefined && !flags.all) throw new GatehouseError("usage", "which cluster?", { hint: "tsh kube login <cluster>, or --all; tsh kube ls lists them" });
    if (args.cluster !== undefined && flags.all) throw new GatehouseError("usage", `either --all or the cluster "${escapeLine(args.cluster)}", not both`);
    const { home, record, admin, identity } = await openSession(process.env, flags, systemClock.now());
    const account = await readAccount(admin, record, undefined);
    const chosen = args.cluster === undefined ? undefined : chooseKubeCluster(account, record.cluster, args.cluster);
    if (identity !== undefined && !flags.embed) await refreshLauncher(home, runningProgram());
    const update = await writeKubeEntries({ home, env: process.env, record, account, embed: flags.embed, only: chosen?.name, identity });
    if (!update) throw new GatehouseError("not_found", "this gateway offers no Kubernetes");
    if (chosen) await selectKubeCluster(this.output, chosen, update, record.username);
    else this.told(update, account);
    if (flags.embed) this.output.stderr.write(`  ${this.output.style.yellow("the private key is in")} ${escapeLine(update.file)}, which only you can read now: keep it to yourself\n`);
  }

  private told(update: KubeUpdate, account: Account): void {
    const contexts = update.contexts.map(({ context }) => escapeLine(context));
    if (contexts.length === 0) {
      const [refused] = account.kubeClusters.flatMap((cluster) => cluster.refused ?? []);
      throw new GatehouseError("access_denied", `there is no Kubernetes cluster that you may use${refused === undefined ? "" : `: ${escapeLine(refused)}`}`);
    }
    this.output.stderr.write(`${this.output.style.green("✔")} ${contexts.length === 1 ? "context" : `${contexts.length} contexts:`} ${listNames(contexts)} in ${escapeLine(update.file)}\n`);
    this.output.stderr.write(`  kubectl talks to ${update.current === undefined ? "none of them" : escapeLine(update.current)}: tsh kube login <cluster> to switch\n`);
  }
}
