import { GatehouseError, errorMessage, toGatehouseError } from "../../base/index.ts";
import type { KubernetesConfig } from "../../config/index.ts";
import { nameContexts } from "./cluster-names.ts";
import { ClusterSource, type WatchedFile } from "./cluster-source.ts";
import { maxContexts, readKubeconfigFile, signatureOf, type Kubeconfig } from "./kubeconfig-file.ts";
import type { ClusterDirectory, KubeCluster, KubeUpstream } from "./types.ts";
import type { ReadOptions } from "./upstreams.ts";

/** Which clusters there are: the part of {@link KubernetesConfig} that says so. */
export type ClusterSettings = Pick<KubernetesConfig, "clusters" | "kubeconfigFile" | "labels" | "unnamed">;

/** What the directory stands on. */
export interface ClusterOptions extends ReadOptions {
  /** Name of the gateway's own cluster. */
  readonly clusterName: string;
  /** How long opening waits for plugins, ms; what comes later is taken when it comes. */
  readonly wait: number;
}

/** How often files are looked at, ms. */
const interval = 1000;

/** Clusters that never change. */
export function fixedClusters(upstreams: readonly KubeUpstream[], defaultCluster = upstreams[0]?.name): ClusterDirectory {
  const names = upstreams.map(({ name }) => name);
  const twice = names.find((name, index) => names.indexOf(name) < index);
  if (twice !== undefined) throw new GatehouseError("bad_parameter", `two Kubernetes clusters are named "${twice}"`);
  const clusters = upstreams.map((upstream): KubeCluster => ({ name: upstream.name, labels: upstream.labels, upstream, problem: undefined }));
  return { clusters, defaultCluster, notes: [], onChange: () => () => undefined, close: () => Promise.resolve() };
}

/** A {@link WatchedFile} as its owner changes it. */
interface File extends WatchedFile {
  signature: string;
  seen: string;
  kubeconfig: Kubeconfig | undefined;
  problem: GatehouseError | undefined;
}

class Clusters implements ClusterDirectory {
  clusters: readonly KubeCluster[] = [];
  readonly #settings: ClusterSettings;
  readonly #options: ClusterOptions;
  readonly #files: readonly File[];
  readonly #named: readonly ClusterSource[];
  #ofContexts = new Map<string, ClusterSource>();
  readonly #knownNames = new Map<string, string>();
  #naming: readonly string[] = [];
  readonly #listeners = new Set<() => void>();
  #timer: NodeJS.Timeout | undefined;
  #looking: Promise<void> | undefined;
  #opened = false;

  constructor(settings: ClusterSettings, options: ClusterOptions) {
    this.#settings = settings;
    this.#options = options;
    const paths = [settings.kubeconfigFile, ...settings.clusters.map(({ kubeconfigFile }) => kubeconfigFile)].filter((path) => path !== undefined);
    this.#files = [...new Set(paths)].map((path) => ({ path, signature: "", seen: "", kubeconfig: undefined, problem: undefined }));
    this.#named = settings.clusters.map(({ name, labels, kubeconfigFile: file, context }) => this.#source(name, labels, file, context));
  }

  get defaultCluster(): string | undefined {
    const main = this.#fileOf(this.#settings.kubeconfigFile);
    if (!main) return this.#named[0]?.name;
    const current = main.kubeconfig?.current;
    if (current === undefined) return this.clusters.length === 1 ? this.clusters[0]?.name : undefined;
    const claimed = this.#named.find(({ origin }) => origin.file === main && (origin.context ?? current) === current);
    return claimed?.name ?? this.#ofContexts.get(current)?.name;
  }

  get notes(): readonly string[] {
    const files = this.#files.flatMap(({ path, problem }) => (problem ? [`the kubeconfig ${path} cannot be read: ${problem.message}`] : []));
    const stale = this.#sources().flatMap(({ problem, view }) => (problem !== undefined && view.upstream !== undefined ? [`${problem.detail}; the credentials read before stay in use`] : []));
    return [...files, ...this.#naming, ...stale];
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    for (const source of this.#sources()) source.close();
    await this.#looking;
  }

  /** Reads everything once, and goes on looking. Throws the first problem where not one cluster is there that could be used, now or later. */
  async open(): Promise<void> {
    await Promise.all(this.#files.map((file) => this.#readFile(file)));
    this.#plan();
    let waited: NodeJS.Timeout | undefined;
    const read = Promise.all(this.#sources().map((source) => source.follow()));
    await Promise.race([read, new Promise<void>((resolve) => (waited = setTimeout(resolve, this.#options.wait)))]);
    clearTimeout(waited);
    const wrong = this.#plainlyWrong();
    if (wrong) {
      await this.close();
      throw wrong;
    }
    this.#opened = true;
    this.#publish();
    this.#timer = setInterval(() => this.#tick(), interval).unref();
  }

  /** Why nothing that is configured can ever work as it is; undefined where something does, or may in a while. */
  #plainlyWrong(): GatehouseError | undefined {
    const sources = this.#sources();
    if (sources.some(({ failure, view }) => view.upstream !== undefined || failure?.code !== "bad_parameter")) return undefined;
    const file = this.#fileOf(this.#settings.kubeconfigFile);
    return sources[0]?.failure ?? new GatehouseError("bad_parameter", `the kubeconfig ${file?.path ?? ""} cannot be used: ${file?.problem?.message ?? "it has no contexts"}`, {
      hint: "correct proxy_service.kubernetes.kubeconfig_file (or --kubeconfig-file), or make one: tctl kubeconfig create",
      cause: file?.problem,
    });
  }

  #source(name: string, labels: Readonly<Record<string, string>>, file: string | undefined, context: string | undefined): ClusterSource {
    return new ClusterSource({ name, labels, origin: { file: this.#fileOf(file), context } }, this.#options, () => this.#publish());
  }

  #sources(): readonly ClusterSource[] {
    return [...this.#named, ...this.#ofContexts.values()];
  }

  #fileOf(path: string | undefined): File | undefined {
    return path === undefined ? undefined : this.#files.find((file) => file.path === path);
  }

  /** Reads a file; what was read before stays where it cannot be. */
  async #readFile(file: File): Promise<void> {
    file.signature = file.seen = await signatureOf([file.path]);
    try {
      file.kubeconfig = await readKubeconfigFile(file.path);
      file.problem = undefined;
    } catch (error) {
      file.problem = toGatehouseError(error);
      this.#options.logger.error({ file: file.path, problem: file.problem.message }, "a kubeconfig cannot be read");
    }
  }

  /** Decides which contexts of the file for all are clusters, and by which names. */
  #plan(): void {
    const main = this.#fileOf(this.#settings.kubeconfigFile);
    if (!main?.kubeconfig) return;
    const { contexts, current } = main.kubeconfig;
    const claimed = this.#named.filter(({ origin }) => origin.file === main).map(({ origin }) => origin.context ?? current ?? "");
    const { names, notes } = nameContexts({
      file: main.path,
      contexts,
      current,
      claimed: new Set(claimed),
      taken: new Set(this.#named.map(({ name }) => name)),
      known: this.#knownNames,
      ownName: this.#settings.unnamed ? this.#options.clusterName : undefined,
    });
    const before = this.#ofContexts;
    this.#ofContexts = new Map([...names].map(([context, name]) => [context, before.get(context) ?? this.#source(name, this.#settings.labels, main.path, context)]));
    for (const [context, source] of before) if (!this.#ofContexts.has(context)) source.close();
    for (const [context, name] of names) this.#knownNames.set(context, name);
    const orphan = current !== undefined && !contexts.some(({ name }) => name === current) ? [`the current-context "${current}" of ${main.path} is none of its contexts: there is no default cluster`] : [];
    const many = contexts.length >= maxContexts ? [`only the first ${maxContexts} contexts of ${main.path} are clusters`] : [];
    this.#naming = [...notes, ...orphan, ...many];
    for (const note of this.#naming) this.#options.logger.warn({ file: main.path }, note);
  }

  #publish(): void {
    // While it opens, nobody has seen anything yet.
    if (!this.#opened) return;
    const next = this.#sources().map(({ view }) => view);
    this.clusters = next;
    for (const listener of this.#listeners) listener();
  }

  #tick(): void {
    if (this.#looking) return;
    const looking = this.#look();
    this.#looking = looking.catch((error: unknown) => this.#options.logger.error({ error: errorMessage(error) }, "looking after kubeconfigs failed")).finally(() => (this.#looking = undefined));
  }

  async #look(): Promise<void> {
    for (const file of this.#files) {
      const signature = await signatureOf([file.path]);
      const stable = signature === file.seen;
      file.seen = signature;
      // Twice the same: whoever writes the file is done.
      if (signature === file.signature || !stable) continue;
      await this.#readFile(file);
      if (file.path === this.#settings.kubeconfigFile && file.problem === undefined) this.#plan();
      for (const source of this.#sources()) if (source.origin.file === file) this.#run(source.follow());
      this.#publish();
    }
    const now = performance.now();
    for (const source of this.#sources()) this.#run(source.look(now));
  }

  /** Each on its own: a plugin that hangs holds up nobody else. */
  #run(work: Promise<void>): void {
    work.catch((error: unknown) => this.#options.logger.error({ error: errorMessage(error) }, "reading credentials for a Kubernetes cluster failed"));
  }
}

/**
 * Reads the credentials of the configured clusters, and follows their files from then on. A cluster whose credentials cannot be read is there all the
 * same, with its problem. Throws `bad_parameter` where every one of them is plainly wrong: a file that is not there or is no kubeconfig, a context
 * that it does not have.
 */
export async function openClusters(settings: ClusterSettings, options: ClusterOptions): Promise<ClusterDirectory> {
  const clusters = new Clusters(settings, options);
  await clusters.open();
  return clusters;
}
