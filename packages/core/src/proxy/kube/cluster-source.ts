import { GatehouseError, errorMessage, toGatehouseError } from "../../base/index.ts";
import { signatureOf, type ContextEntry, type Kubeconfig } from "./kubeconfig-file.ts";
import type { ClusterProblem, KubeCluster, KubeUpstream } from "./types.ts";
import { readContext, readServiceAccount, type ReadOptions } from "./upstreams.ts";

/** A kubeconfig that clusters come from, as it was read last. */
export interface WatchedFile {
  readonly path: string;
  /** As it was the last time that it could be read. */
  readonly kubeconfig: Kubeconfig | undefined;
  /** Why it cannot be read now. */
  readonly problem: GatehouseError | undefined;
}

/** Where the credentials of one cluster come from. */
export interface Origin {
  /** Undefined: the service account of the pod. */
  readonly file: WatchedFile | undefined;
  /** Undefined: the file's current context. */
  readonly context: string | undefined;
}

/** Waits between attempts at credentials that cannot be read: ms, doubled each time. */
const firstRetry = 1000;
const lastRetry = 60_000;
/** How often a certificate that a plugin gave is asked for again, ms. */
const renewal = 60_000;
/** A plugin that takes longer is told to be stuck, ms; it is waited for all the same, and not started a second time. */
const slow = 30_000;

/** What people are told of what is wrong with credentials: no paths, no output of plugins. */
function problemOf(error: unknown, where: string): ClusterProblem {
  const { code } = toGatehouseError(error);
  const summary =
    code === "bad_parameter" ? "the gateway's credentials for it cannot be used" : code === "unavailable" ? "the gateway could not get credentials for it" : "the gateway's credentials for it cannot be read";
  return { summary, detail: `${where} cannot be used: ${errorMessage(error)}` };
}

/** One cluster and its credentials, read again when their files change, and again and again while they cannot be read. */
export class ClusterSource {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly origin: Origin;
  /** What is wrong with the latest reading. Credentials of an earlier one stay in use. */
  problem: ClusterProblem | undefined;
  /** The latest failure, as it was thrown. */
  failure: GatehouseError | undefined;
  readonly #options: ReadOptions;
  readonly #changed: () => void;
  #view: KubeCluster;
  #content: string | undefined;
  #files: readonly string[] = [];
  #signature = "";
  #seen = "";
  #failures = 0;
  #next = 0;
  #reading: Promise<void> | undefined;
  #again = false;
  #closed = false;

  constructor(cluster: { readonly name: string; readonly labels: Readonly<Record<string, string>>; readonly origin: Origin }, options: ReadOptions, changed: () => void) {
    this.name = cluster.name;
    this.labels = cluster.labels;
    this.origin = cluster.origin;
    this.#options = options;
    this.#changed = changed;
    this.#view = { name: this.name, labels: this.labels, upstream: undefined, problem: { summary: "its credentials have not been read yet", detail: "its credentials have not been read yet" } };
  }

  /** The cluster as the proxy takes it. */
  get view(): KubeCluster {
    return this.#view;
  }

  /** Reads the credentials, if the kubeconfig says something else than the last time. Resolves when they are read, or cannot be. Never throws. */
  follow(): Promise<void> {
    return this.#read(false);
  }

  /** Looks whether it is time to read again: a file changed, or the last attempt failed, or a certificate runs out. */
  async look(now: number): Promise<void> {
    if (this.#reading) return;
    if (this.#files.length > 0) {
      const signature = await signatureOf(this.#files);
      const stable = signature === this.#seen;
      this.#seen = signature;
      // Twice the same: whoever writes the file is done.
      if (stable && signature !== this.#signature) {
        await this.#read(true);
        return;
      }
    }
    if (this.#next !== 0 && now >= this.#next) await this.#read(true);
  }

  /** Lets go of what it read. Where a plugin is running still, what it gives is dropped. */
  close(): void {
    this.#closed = true;
    this.#view.upstream?.token?.close();
  }

  /** One reading at a time; who asks meanwhile gets another one after it. */
  #read(always: boolean): Promise<void> {
    this.#again = this.#reading !== undefined;
    this.#reading ??= this.#readAll(always);
    return this.#reading;
  }

  async #readAll(always: boolean): Promise<void> {
    const timer = setTimeout(() => this.#failed(new GatehouseError("unavailable", "its credential plugin has not answered for 30 s")), slow).unref();
    try {
      await this.#readOnce(always);
      while (this.#again && !this.#closed) {
        this.#again = false;
        await this.#readOnce(false);
      }
    } finally {
      clearTimeout(timer);
      // At once: who asks from now on is not heard any more.
      this.#reading = undefined;
    }
  }

  async #readOnce(always: boolean): Promise<void> {
    const { file, context } = this.origin;
    // What was read before goes on; the file's own problem is told of the file.
    if (file?.problem && this.#view.upstream !== undefined) return;
    try {
      if (file?.problem) throw file.problem;
      const entry = file && entryOf(file.kubeconfig, context);
      if (!always && this.#view.upstream !== undefined && this.failure === undefined && entry?.content === this.#content) return;
      const read = entry ? await readContext(this, entry, this.#options) : await readServiceAccount(this, this.#options);
      if (this.#closed) {
        read.upstream.token?.close();
        return;
      }
      this.#content = entry?.content;
      this.#files = read.files;
      this.#signature = this.#seen = read.signature;
      this.#failures = 0;
      this.#next = read.renew ? performance.now() + renewal : 0;
      this.#succeeded(read.upstream);
    } catch (error) {
      this.#failed(error);
    }
  }

  #succeeded(upstream: KubeUpstream): void {
    const before = this.#view.upstream;
    const recovered = this.problem !== undefined;
    this.problem = undefined;
    this.failure = undefined;
    if (before !== undefined && upstream.token === undefined && same(before, upstream)) {
      if (recovered) this.#changed();
      return;
    }
    this.#view = { name: this.name, labels: this.labels, upstream, problem: undefined };
    this.#options.logger.info({ cluster: this.name }, "the credentials for the Kubernetes cluster were read");
    this.#changed();
  }

  #failed(error: unknown): void {
    if (this.#closed) return;
    const { file } = this.origin;
    const known = toGatehouseError(error);
    const problem = file === undefined ? { ...problemOf(known, ""), detail: known.message } : problemOf(known, `the kubeconfig ${file.path} of Kubernetes cluster "${this.name}"`);
    const told = problem.detail === this.problem?.detail;
    this.problem = problem;
    this.failure = file === undefined ? known : new GatehouseError(known.code, problem.detail, { cause: known });
    this.#next = performance.now() + Math.min(lastRetry, firstRetry * 2 ** Math.min(this.#failures, 10));
    this.#failures += 1;
    if (told) return;
    this.#options.logger.error({ cluster: this.name, problem: problem.detail, inUse: this.#view.upstream === undefined ? "nothing" : "credentials read before" }, "the credentials for the Kubernetes cluster cannot be read");
    if (this.#view.upstream === undefined) this.#view = { ...this.#view, problem };
    this.#changed();
  }
}

function entryOf(kubeconfig: Kubeconfig | undefined, context: string | undefined): ContextEntry {
  const wanted = context ?? kubeconfig?.current;
  if (kubeconfig === undefined || wanted === undefined) throw new GatehouseError("bad_parameter", "it has no current-context, and the configuration names no context");
  return kubeconfig.context(wanted);
}

function same(one: KubeUpstream, other: KubeUpstream): boolean {
  return JSON.stringify({ ...one, token: undefined }) === JSON.stringify({ ...other, token: undefined }) && one.token === other.token;
}
