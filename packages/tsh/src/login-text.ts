import { escapeLine } from "@gatehouse/core/base";
import type { LoginResult } from "@gatehouse/core/client";
import { formatFields } from "@gatehouse/core/client/terminal";
import { describeValidity, listNames, noGroups } from "./text.ts";

/** What the person may reach of Kubernetes, one line a fact. */
function describeKubernetes({ account, kube }: LoginResult): readonly string[] {
  if (account.kubeAddress === undefined) return ["not offered by this gateway"];
  const usable = account.kubeClusters.filter((cluster) => cluster.groups.length > 0);
  const refused = account.kubeClusters.filter((cluster) => cluster.groups.length === 0);
  const groups = [...new Set(usable.flatMap((cluster) => cluster.groups))].sort();
  const contexts = kube?.contexts.filter(({ cluster }) => usable.some(({ name }) => name === cluster)).map(({ context }) => context) ?? [];
  const reach = contexts.length === 0 ? listNames(groups) : `${listNames(groups)}   →  ${contexts.length === 1 ? "context" : "contexts"} ${listNames(contexts)} in ${kube?.file ?? ""}`;
  const failing = usable.flatMap(({ healthy, name, problem }) => (healthy === false ? [`${name} does not work now: ${problem ?? "the gateway cannot serve it"}`] : []));
  if (usable.length === 0) return ["no cluster that you may use"];
  return [reach, ...failing, ...refused.map((cluster) => `${cluster.name}: ${noGroups(cluster.refused)}`)];
}

/** The login as a short table, and how to switch kubectl where it talks to something else. */
export function describeLogin(result: LoginResult, now: number): string {
  const { record, account, kube } = result;
  const fields = formatFields([
    ["cluster", escapeLine(`${record.cluster}   ${describeValidity(record.expires, now)}`)],
    ["roles", escapeLine(listNames(account.roles))],
    ["kubernetes", describeKubernetes(result).map(escapeLine).join("\n")],
    ["logins", escapeLine(listNames(account.logins))],
  ]);
  const first = kube?.contexts.find(({ cluster }) => cluster === account.defaultCluster) ?? kube?.contexts[0];
  if (!kube || !first || kube.current === undefined || kube.currentIsOurs) return fields;
  return `${fields}\n  current kubectl context is still ${escapeLine(kube.current)}: \`tsh kube login ${escapeLine(first.cluster)}\` to switch\n`;
}

/** The login for programs. */
export function loginData({ record, account, authType, keystore, kube }: LoginResult): Record<string, unknown> {
  return {
    proxy: record.proxy,
    cluster: record.cluster,
    user: record.username,
    auth: authType,
    valid_until: new Date(record.expires).toISOString(),
    keystore,
    roles: account.roles,
    logins: account.logins,
    kubernetes: {
      enabled: account.kubeAddress !== undefined,
      kubeconfig: kube?.file,
      current_context: kube?.current,
      clusters: account.kubeClusters.map(({ name, groups, healthy, labels, problem, refused }) => ({ name, context: kube?.contexts.find((context) => context.cluster === name)?.context, labels, groups, refused, healthy, problem })),
    },
  };
}
