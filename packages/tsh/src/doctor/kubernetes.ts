import { access, constants } from "node:fs/promises";
import { homedir } from "node:os";
import { basename, join } from "node:path";
import { kubeContextName, kubeContexts, kubePlugins, readFileLimited, readPluginPolicy } from "@gatehouse/core/client";
import { findProgram } from "../ssh/openssh.ts";
import { failed, ok, skipped, warning, type Found } from "./finding.ts";
import { askProgram, atLeast } from "./machine.ts";
import type { Patient } from "./patient.ts";

/** Oldest kubectl that all of this works with. */
const leastKubectl = "1.27.0";
const maxKuberc = 256 * 1024;

/** kubectl itself. */
export async function checkKubectl({ env }: Patient): Promise<Found> {
  const path = await findProgram("kubectl", env);
  if (path === undefined) return skipped("not on PATH");
  const said = await askProgram(path, ["version", "--client", "--output=json"], env);
  const version = /"gitVersion":\s*"(v[^"\s]{1,40})"/.exec(said)?.[1];
  if (version === undefined) return warning(`${path} does not say its version`, "try: kubectl version --client");
  return atLeast(version, leastKubectl) ? ok(`${version} (${path})`) : warning(`${version} (${path}) is older than ${leastKubectl}`, "install a newer kubectl");
}

/** Why kubectl would not run this plugin: kuberc may list those that it runs (`credentialPluginPolicy`, kubectl 1.35). Undefined where it would. */
async function forbidden(command: string, { env }: Patient): Promise<string | undefined> {
  const named = env["KUBERC"];
  if (named === "off" || env["KUBECTL_KUBERC"] === "false") return undefined;
  const path = named !== undefined && named !== "" ? named : join(env["HOME"] ?? homedir(), ".kube", "kuberc");
  const text = await readFileLimited(path, { limit: maxKuberc });
  if (text === undefined) return undefined;
  const { policy, allowed } = readPluginPolicy(text);
  if (policy === "DenyAll") return path;
  if (policy !== "Allowlist") return undefined;
  for (const entry of allowed) {
    if (entry === command) return undefined;
    if (entry === basename(command) && (await findProgram(entry, env)) === command) return undefined;
  }
  return path;
}

/** kubeconfig's entries of the login, and what they run. */
export async function checkKubeconfig(patient: Patient): Promise<Found> {
  const { env, login, profile } = patient;
  if (!profile) return skipped("not logged in");
  const proxy = profile.web_proxy_addr;
  const { contexts, current } = await kubeContexts(env, proxy);
  const usable = (profile.kube_clusters ?? []).filter(({ groups }) => groups.length > 0).map(({ name }) => name);
  const record = await login().catch(() => undefined);
  if (usable.length === 0 && contexts.length === 0) return skipped("there is no Kubernetes cluster that you may use");
  for (const { name, command } of await kubePlugins(env, proxy)) {
    if (command === undefined) continue;
    if (!(await access(command, constants.X_OK).then(() => true, () => false))) return failed(`context ${name} runs ${command}, which is not there`, "tsh kube login --all");
    const list = await forbidden(command, patient);
    if (list !== undefined) return failed(`kubectl may not run ${command}: ${list} does not allow it`, `add it to credentialPluginAllowlist in ${list}`);
    await askProgram(command, ["version"], env);
  }
  const missing = record === undefined ? [] : usable.filter((cluster) => kubeContextName(contexts, { gatehouseCluster: record.cluster, proxy }, cluster) === undefined);
  if (missing.length > 0) return warning(`no context for ${missing.join(", ")}`, "tsh kube login --all");
  return ok(`${contexts.length === 1 ? "1 context" : `${contexts.length} contexts`}; kubectl talks to ${current ?? "none"}`);
}
