import { describeDuration, escapeLine, formatJson, version } from "@gatehouse/core/base";
import { describeCheck, type Gateway } from "@gatehouse/core/proxy";

/** What surrounds a gateway that has just started. */
export interface StartFacts {
  readonly dataDir: string;
  /** Whether `tctl` finds this data directory without being told. */
  readonly isDefaultDataDir: boolean;
  /** ms. */
  readonly took: number;
}

function portOf(address: string): string {
  return address.slice(address.lastIndexOf(":"));
}

/** What is wrong with each cluster and what to do, for people. */
function clusterLines(gateway: Gateway): readonly string[] {
  return gateway.kubernetes.map((check) => {
    const problem = describeCheck(check);
    if (problem === undefined) return `${check.cluster} ✔ may impersonate`;
    const remedy = check.missing.length > 0 ? ": run tctl kubeconfig create, or bind the ClusterRole in docs/gateway.md to the gateway" : "";
    return `${check.cluster} ✖ ${problem}${remedy}`;
  });
}

/** Readiness for people: what runs where, its pin, and the next step. */
export function readinessText(gateway: Gateway, facts: StartFacts): string {
  const { addresses } = gateway;
  const listeners = [
    `web   ${gateway.publicUrl}`,
    ...(addresses.ssh === undefined ? [] : [`ssh ${portOf(addresses.ssh)}`]),
    ...(addresses.kube === undefined ? [] : [`kubernetes ${portOf(addresses.kube)}`]),
    `admin ${portOf(addresses.admin)}`,
    ...(addresses.diag === undefined ? [] : [`diagnostics ${addresses.diag}`]),
  ];
  const clusters = clusterLines(gateway);
  const tctl = facts.isDefaultDataDir ? "tctl" : `tctl --data-dir=${facts.dataDir}`;
  const lines = [
    `gatehouse ${version}   cluster ${gateway.clusterName}   data ${facts.dataDir} (sqlite)`,
    `  ${listeners.join("      ")}`,
    `  ca pin  ${gateway.caPin}`,
    ...clusters.map((line, index) => `  ${index === 0 ? "kubernetes  " : "            "}${line}`),
    ...gateway.kubernetesNotes.map((note) => `  note: ${note}`),
    ...(gateway.firstStart ? [`  no administrator yet: create one with  ${tctl} users add ${process.env["USER"] ?? "alice"} --roles=admin`] : []),
    `ready in ${describeDuration(facts.took)}`,
  ];
  return `${lines.map(escapeLine).join("\n")}\n`;
}

/** Readiness for programs: one line of JSON. */
export function readinessJson(gateway: Gateway, facts: StartFacts): string {
  const { web, ssh, kube, admin, diag } = gateway.addresses;
  return `${formatJson({
    version,
    cluster: gateway.clusterName,
    ca_pin: gateway.caPin,
    public_url: gateway.publicUrl,
    data_dir: facts.dataDir,
    first_start: gateway.firstStart,
    addresses: { web, admin, ssh, kube, diag },
    kubernetes: gateway.kubernetes.map((check) => ({ name: check.cluster, healthy: check.ok, problem: describeCheck(check) })),
    ...(gateway.kubernetesNotes.length === 0 ? {} : { notes: gateway.kubernetesNotes }),
  })}\n`;
}
