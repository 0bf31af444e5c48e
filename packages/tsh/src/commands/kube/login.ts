import { Args, Flags } from "@oclif/core";
import { GatehouseError, didYouMean, escapeLine, systemClock } from "@gatehouse/core/base";
import { openSession, readAccount, selectKubeContext, writeKubeEntries, type Account, type KubeUpdate } from "@gatehouse/core/client";
import { BaseCommand } from "@gatehouse/core/client/command";
import { proxyFlag } from "../../command.ts";
import { listNames } from "../../text.ts";

/** The cluster that the person means: by its own name, or as its context is named. Throws `not_found`, `access_denied`. */
function choose({ kubeClusters }: Account, gatehouseCluster: string, wanted: string): Account["kubeClusters"][number] {
  const names = kubeClusters.map(({ name }) => name);
  const found = kubeClusters.find(({ name }) => name === wanted) ?? kubeClusters.find(({ name }) => `${gatehouseCluster}-${name}` === wanted.replace(/@[^@]*$/, ""));
  if (!found) {
    throw new GatehouseError("not_found", `the gateway knows no Kubernetes cluster "${escapeLine(wanted)}"${didYouMean(wanted, names)}`, { hint: names.length === 0 ? "tsh kube ls" : `it knows: ${listNames(names.map(escapeLine))}` });
  }
  if (found.groups.length > 0) return found;
  throw new GatehouseError("access_denied", `you may not use Kubernetes cluster "${escapeLine(found.name)}": ${escapeLine(found.refused ?? "no role gives you a group there")}`, { hint: "tsh kube ls shows where you have groups" });
}

/** `tsh kube login` */
export class KubeLogin extends BaseCommand {
  static override summary = "Make kubectl talk to a Kubernetes cluster";
  static override description = `Adds the cluster to kubeconfig and selects its context; with --all adds every cluster that you may use, and selects one only where none
is selected. Entries that are there already are renewed, and those of clusters that are gone, or closed to you, removed.`;
  static override examples = ["<%= config.bin %> kube login staging", "<%= config.bin %> kube login --all"];
  static override args = { cluster: Args.string({ ignoreStdin: true, required: false, description: "A cluster that tsh kube ls lists" }) };
  static override flags = {
    ...proxyFlag,
    all: Flags.boolean({ summary: "Every cluster that you may use" }),
    embed: Flags.boolean({ summary: "Write key and certificate into kubeconfig itself, for tools that cannot run plugins" }),
  };

  /** Adds what is missing, then selects. */
  async run(): Promise<void> {
    const { args, flags } = await this.parse(KubeLogin);
    if (args.cluster === undefined && !flags.all) throw new GatehouseError("usage", "which cluster?", { hint: "tsh kube login <cluster>, or --all; tsh kube ls lists them" });
    if (args.cluster !== undefined && flags.all) throw new GatehouseError("usage", `either --all or the cluster "${escapeLine(args.cluster)}", not both`);
    const { home, record, admin } = await openSession(process.env, flags.proxy, systemClock.now());
    const account = await readAccount(admin, record, undefined);
    const chosen = args.cluster === undefined ? undefined : choose(account, record.cluster, args.cluster);
    const update = await writeKubeEntries({ home, env: process.env, record, account, embed: flags.embed, only: chosen?.name });
    if (!update) throw new GatehouseError("not_found", "this gateway offers no Kubernetes");
    if (chosen) await this.select(chosen, update, record.username);
    else this.told(update, account);
    if (flags.embed) this.output.stderr.write(`  ${this.output.style.yellow("the private key is in")} ${escapeLine(update.file)}, which only you can read now: keep it to yourself\n`);
  }

  private async select(chosen: Account["kubeClusters"][number], update: KubeUpdate, username: string): Promise<void> {
    const entry = update.contexts.find(({ cluster }) => cluster === chosen.name);
    if (!entry) throw new GatehouseError("internal", `kubeconfig has no context for "${escapeLine(chosen.name)}"`);
    await selectKubeContext(process.env, entry.context);
    this.output.stderr.write(`${this.output.style.green("✔")} kubectl now talks to ${escapeLine(chosen.name)} as ${escapeLine(username)}\n`);
    if (chosen.healthy === false) this.output.stderr.write(`  ${this.output.style.yellow("it does not work now:")} ${escapeLine(chosen.problem ?? "the gateway cannot serve it")}\n`);
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
