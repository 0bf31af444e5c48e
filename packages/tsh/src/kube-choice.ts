import { GatehouseError, didYouMean, escapeLine } from "@gatehouse/core/base";
import { selectKubeContext, type Account, type KubeUpdate } from "@gatehouse/core/client";
import type { Output } from "@gatehouse/core/client/terminal";
import { listNames } from "./text.ts";

/** The cluster that the person means: by its own name, or as its context is named. Throws `not_found`, `access_denied`. */
export function chooseKubeCluster({ kubeClusters }: Account, gatehouseCluster: string, wanted: string): Account["kubeClusters"][number] {
  const names = kubeClusters.map(({ name }) => name);
  const found = kubeClusters.find(({ name }) => name === wanted) ?? kubeClusters.find(({ name }) => `${gatehouseCluster}-${name}` === wanted.replace(/@[^@]*$/, ""));
  if (!found) {
    throw new GatehouseError("not_found", `the gateway knows no Kubernetes cluster "${escapeLine(wanted)}"${didYouMean(wanted, names)}`, { hint: names.length === 0 ? "tsh kube ls" : `it knows: ${listNames(names.map(escapeLine))}` });
  }
  if (found.groups.length > 0) return found;
  throw new GatehouseError("access_denied", `you may not use Kubernetes cluster "${escapeLine(found.name)}": ${escapeLine(found.refused ?? "no role gives you a group there")}`, { hint: "tsh kube ls shows where you have groups" });
}

/** Makes kubectl talk to a cluster whose context an update wrote, and says so. Throws `internal` where it wrote none. */
export async function selectKubeCluster(output: Output, chosen: Account["kubeClusters"][number], update: KubeUpdate, username: string): Promise<void> {
  const entry = update.contexts.find(({ cluster }) => cluster === chosen.name);
  if (!entry) throw new GatehouseError("internal", `kubeconfig has no context for "${escapeLine(chosen.name)}"`);
  await selectKubeContext(process.env, entry.context);
  output.stderr.write(`${output.style.green("✔")} kubectl now talks to ${escapeLine(chosen.name)} as ${escapeLine(username)}\n`);
  if (chosen.healthy === false) output.stderr.write(`  ${output.style.yellow("it does not work now:")} ${escapeLine(chosen.problem ?? "the gateway cannot serve it")}\n`);
}
