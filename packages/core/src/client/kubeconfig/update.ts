import { resolve } from "node:path";
import { GatehouseError, escapeLine } from "../../base/index.ts";
import type { Environment } from "../lean/index.ts";
import { currentContext, initialise, ourContexts, ownerOf, pluginsOf, removeEntries, sections, setEntry } from "./entries.ts";
import { changeKubeconfig, destination, kubeconfigPaths, readKubeconfig, type KubeconfigFile } from "./files.ts";

/** A Kubernetes cluster as kubeconfig shall know it. */
export interface KubeEntry {
  readonly cluster: string;
  /** TLS server name that chooses it. */
  readonly serverName: string;
}

/** Everything that one login adds. */
export interface KubeEntries {
  /** `host:port` of the gateway's web listener: the mark of ownership. */
  readonly proxy: string;
  /** Name of the Gatehouse cluster. */
  readonly gatehouseCluster: string;
  /** `host:port` of the gateway's Kubernetes listener. */
  readonly server: string;
  /** Authorities of the gateway's hosts, PEM. */
  readonly authorities: readonly string[];
  readonly clusters: readonly KubeEntry[];
  /** The cluster that is selected where nothing else is; the one of the Gatehouse cluster's name, else the first, where it is left out. */
  readonly preferred?: string | undefined;
  /** Of `clusters`, add none but this one to those that have entries already. */
  readonly only?: string | undefined;
  /** What to run for credentials. */
  readonly launcher: string;
  /** Identity file that the plugin is to answer from, absolute; undefined for the person's login. */
  readonly identity?: string | undefined;
  /** Key and certificate to write inline instead, PEM. */
  readonly embed: { readonly certificate: string; readonly key: string } | undefined;
}

/** What became of it. */
export interface KubeUpdate {
  /** File that new entries went to. */
  readonly file: string;
  /** Context of each cluster. */
  readonly contexts: readonly { readonly cluster: string; readonly context: string }[];
  /** Selected now. */
  readonly current: string | undefined;
  /** Whether that is one of ours. */
  readonly currentIsOurs: boolean;
  /** Files, absolute, that key and certificate were written into. */
  readonly embedded: readonly string[];
}

const base64 = (text: string): string => Buffer.from(text).toString("base64");

function user(entries: KubeEntries): Record<string, unknown> {
  if (entries.embed) {
    return { "client-certificate-data": base64(entries.embed.certificate), "client-key-data": base64(entries.embed.key) };
  }
  return {
    exec: {
      apiVersion: "client.authentication.k8s.io/v1",
      command: entries.launcher,
      args: ["kube", "credentials", `--proxy=${entries.proxy}`, `--cluster=${entries.gatehouseCluster}`, ...(entries.identity === undefined ? [] : [`--identity=${entries.identity}`])],
      interactiveMode: "IfAvailable",
      provideClusterInfo: false,
      installHint: "run tsh login to repair this entry",
    },
  };
}

/** v3's name, the cluster's own with the Gatehouse cluster before it where they differ; and one for where that is taken. */
export function kubeContextNames(gateway: Pick<KubeEntries, "gatehouseCluster" | "proxy">, cluster: string): readonly [string, string] {
  const plain = cluster === gateway.gatehouseCluster ? cluster : `${gateway.gatehouseCluster}-${cluster}`;
  return [plain, `${plain}@${gateway.proxy.replace(/:3080$/, "")}`];
}

/** A name that nobody else uses in any of the files: another gateway's login, or the person, may have taken the plain one. */
function freeName(files: readonly KubeconfigFile[], entries: KubeEntries, entry: KubeEntry): string {
  const candidates = kubeContextNames(entries, entry.cluster);
  const free = candidates.find((name) =>
    files.every((file) =>
      sections.every((section) => {
        const owner = ownerOf(file.document, section, name);
        return owner === undefined || (owner !== "foreign" && owner.proxy === entries.proxy);
      }),
    ),
  );
  if (free === undefined) {
    throw new GatehouseError("already_exists", `kubeconfig has entries named ${candidates.map((name) => `"${escapeLine(name)}"`).join(" and ")} that are not ours`, { hint: "rename or remove them; nothing was changed" });
  }
  return free;
}

function holds(file: KubeconfigFile, name: string, proxy: string): boolean {
  return sections.some((section) => {
    const owner = ownerOf(file.document, section, name);
    return typeof owner === "object" && owner.proxy === proxy;
  });
}

/** Selects as kubectl does: where one is selected already, else in the file for new entries. False where that cannot be written. */
function setCurrent(files: readonly KubeconfigFile[], target: KubeconfigFile, context: string): boolean {
  const at = files.findIndex((file) => currentContext(file.document) !== undefined);
  const holder = at < 0 ? target : files.slice(0, at + 1).findLast((file) => file.writable);
  holder?.document.set("current-context", context);
  return holder !== undefined;
}

function selected(files: readonly KubeconfigFile[]): { readonly context: string | undefined; readonly proxy: string | undefined } {
  const context = files.map((file) => currentContext(file.document)).find((name) => name !== undefined);
  const owner = files.flatMap((file) => ourContexts(file.document)).find((ours) => ours.name === context);
  return { context, proxy: owner?.proxy };
}

/**
 * Makes kubeconfig hold exactly these entries of this gateway. The context is selected only where none is, or one of ours is (of this gateway:
 * then it stays selected while it exists). Throws `internal` for a file that cannot be read, locked or written.
 */
export async function addKubeEntries(env: Environment, entries: KubeEntries): Promise<KubeUpdate> {
  const add = (files: readonly KubeconfigFile[]): KubeUpdate => {
    const before = selected(files);
    const target = destination(files);
    const { only, proxy } = entries;
    const wanted = only === undefined ? entries.clusters : entries.clusters.filter(({ cluster }) => cluster === only || kubeContextNames(entries, cluster).some((name) => files.some((file) => holds(file, name, proxy))));
    const named = wanted.map((entry) => ({ ...entry, context: freeName(files, entries, entry) }));
    const keep = new Set(named.map((entry) => entry.context));
    for (const file of files) if (file.writable) removeEntries(file.document, entries.proxy, keep);
    const written = new Set<string>();
    for (const { context, serverName } of named) {
      const file = files.find((candidate) => candidate.writable && holds(candidate, context, entries.proxy)) ?? target;
      written.add(resolve(file.path));
      initialise(file.document);
      setEntry(file.document, "clusters", context, { server: `https://${entries.server}`, "tls-server-name": serverName, "certificate-authority-data": base64(entries.authorities.join("")) }, entries.proxy);
      setEntry(file.document, "contexts", context, { cluster: context, user: context }, entries.proxy);
      setEntry(file.document, "users", context, user(entries), entries.proxy);
    }
    const stays = before.context !== undefined && (before.proxy === undefined || (before.proxy === entries.proxy && keep.has(before.context)));
    const preferred = named.find((entry) => entry.cluster === (entries.preferred ?? entries.gatehouseCluster)) ?? named[0];
    if (!stays && preferred) setCurrent(files, target, preferred.context);
    else if (!stays && before.proxy === entries.proxy) setCurrent(files, target, "");
    const after = selected(files);
    return {
      file: target.path,
      contexts: named.map(({ cluster, context }) => ({ cluster, context })),
      current: after.context,
      currentIsOurs: after.proxy !== undefined,
      embedded: entries.embed === undefined ? [] : [...written],
    };
  };
  return changeKubeconfig(kubeconfigPaths(env), add, { secret: entries.embed !== undefined });
}

/** Removes what this gateway's login added, and the selection where it was one of those. Returns the contexts that are gone. */
export async function removeKubeEntries(env: Environment, proxy: string): Promise<readonly string[]> {
  const present = (await Promise.all(kubeconfigPaths(env).map(readKubeconfig))).filter((file) => file.source !== undefined);
  return changeKubeconfig(present.map((file) => file.path), (files) => {
    const { context } = selected(files);
    const gone = files.filter((file) => file.writable).flatMap((file) => removeEntries(file.document, proxy));
    if (context !== undefined && gone.includes(context)) {
      for (const file of files) if (currentContext(file.document) === context) file.document.set("current-context", "");
    }
    return gone;
  }, { tidy: true });
}

/** The contexts of a gateway in kubeconfig. */
export interface KubeContexts {
  /** Those that its login wrote. */
  readonly contexts: readonly string[];
  /** The one that is selected, whoever wrote it. */
  readonly current: string | undefined;
  /** Namespaces that the person set, by context. */
  readonly namespaces: ReadonlyMap<string, string>;
}

/** The contexts that this gateway's login wrote. */
export async function kubeContexts(env: Environment, proxy: string): Promise<KubeContexts> {
  const files = await Promise.all(kubeconfigPaths(env).map(readKubeconfig));
  const contexts = files.flatMap((file) => ourContexts(file.document)).filter((context) => context.proxy === proxy);
  const namespaces = new Map(contexts.flatMap(({ name, namespace }) => (namespace === undefined ? [] : [[name, namespace] as const])));
  return { contexts: contexts.map((context) => context.name), current: selected(files).context, namespaces };
}

/** The plugins that kubectl runs for the entries of this gateway's login, by context; undefined where the certificate is in kubeconfig itself. */
export async function kubePlugins(env: Environment, proxy: string): Promise<readonly { readonly name: string; readonly command: string | undefined }[]> {
  const files = await Promise.all(kubeconfigPaths(env).map(readKubeconfig));
  return files.flatMap((file) => pluginsOf(file.document, proxy));
}

/** Makes kubectl talk to this context. Throws `not_found`. */
export async function selectKubeContext(env: Environment, context: string): Promise<void> {
  await changeKubeconfig(kubeconfigPaths(env), (files) => {
    if (!files.some((file) => ourContexts(file.document).some((ours) => ours.name === context))) {
      throw new GatehouseError("not_found", `kubeconfig has no context "${escapeLine(context)}" of ours`, { hint: "tsh kube ls" });
    }
    if (!setCurrent(files, destination(files), context)) {
      throw new GatehouseError("internal", "the current context is selected in a read-only file of KUBECONFIG", { hint: `use kubectl --context=${escapeLine(context)}` });
    }
  });
}

/** The context of a Kubernetes cluster among those that this gateway's login wrote; undefined where it has none. */
export function kubeContextName(contexts: readonly string[], gateway: Pick<KubeEntries, "gatehouseCluster" | "proxy">, cluster: string): string | undefined {
  const wanted = kubeContextNames(gateway, cluster);
  return wanted.find((name) => contexts.includes(name));
}
