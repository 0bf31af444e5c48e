import type { Logger } from "../../base/index.ts";
import type { KubeProxy, UpstreamCheck } from "../kube/index.ts";

/** How often a cluster is looked at that is well, ms. */
const interval = 60_000;
/** First wait before a cluster that is not well is looked at again, ms; doubled each time, up to {@link interval}. */
const firstRetry = 2000;

/** What is wrong with a cluster, in words; undefined where nothing is. */
export function describeCheck(check: UpstreamCheck): string | undefined {
  if (check.ok) return undefined;
  if (check.problem !== undefined) return check.problem;
  return `cannot ${check.missing.join(", ")}`;
}

/** Knows whether the gateway may impersonate in each cluster, and looks again: every minute, sooner where it may not, at once after a change. */
export interface KubeHealth {
  /** Of the clusters as they are now. */
  readonly checks: readonly UpstreamCheck[];
  close(): void;
}

const unknown = "has not answered yet";

/** One cluster: looked at by itself, so that one that hangs holds up no other. */
class Watched {
  check: UpstreamCheck;
  readonly #kube: Pick<KubeProxy, "check">;
  readonly #logger: Logger;
  #timer: NodeJS.Timeout | undefined;
  #failures = 0;
  #looking: Promise<void> | undefined;
  #again = false;
  #closed = false;

  constructor(cluster: string, kube: Pick<KubeProxy, "check">, logger: Logger) {
    this.check = { cluster, ok: false, missing: [], problem: unknown, summary: unknown };
    this.#kube = kube;
    this.#logger = logger;
  }

  /** Looks now; while a look is under way, once more after it. Never throws. */
  look(): Promise<void> {
    clearTimeout(this.#timer);
    this.#again = this.#looking !== undefined;
    this.#looking ??= this.#lookOnce().catch((error: unknown) => this.#logger.error({ err: error }, "looking at a Kubernetes cluster failed")).finally(() => this.#done());
    return this.#looking;
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
  }

  async #lookOnce(): Promise<void> {
    const { cluster } = this.check;
    const before = describeCheck(this.check);
    const check = await this.#kube.check(cluster);
    if (this.#closed) return;
    this.check = check;
    this.#failures = check.ok ? 0 : this.#failures + 1;
    const problem = describeCheck(check);
    if (problem === before) return;
    if (problem === undefined) this.#logger.info({ cluster }, "the gateway may impersonate in this Kubernetes cluster");
    else this.#logger.warn({ cluster, problem }, "the gateway cannot serve this Kubernetes cluster");
  }

  #done(): void {
    this.#looking = undefined;
    if (this.#closed) return;
    if (this.#again) {
      this.look().catch(() => undefined);
      return;
    }
    const wait = this.check.ok ? interval : Math.min(interval, firstRetry * 2 ** Math.max(0, this.#failures - 1));
    this.#timer = setTimeout(() => {
      this.look().catch(() => undefined);
    }, wait).unref();
  }
}

/** Looks once, waiting for at most `waitMs`, and goes on looking. Changes are logged. */
export async function watchKubeHealth(kube: Pick<KubeProxy, "clusters" | "check" | "onClusters">, waitMs: number, logger: Logger): Promise<KubeHealth> {
  const watched = new Map<string, Watched>();

  /** Looks at every cluster: their credentials may have changed, which is seldom. */
  async function lookAtAll(): Promise<void> {
    const names = new Set(kube.clusters.map(({ name }) => name));
    for (const [name, gone] of watched) {
      if (names.has(name)) continue;
      gone.close();
      watched.delete(name);
    }
    for (const name of names) if (!watched.has(name)) watched.set(name, new Watched(name, kube, logger));
    await Promise.all([...watched.values()].map((one) => one.look()));
  }

  let waited: NodeJS.Timeout | undefined;
  // Whoever stops waiting leaves the look to end by itself.
  await Promise.race([lookAtAll(), new Promise<void>((resolve) => (waited = setTimeout(resolve, waitMs)))]);
  clearTimeout(waited);
  const stopListening = kube.onClusters(() => {
    lookAtAll().catch((error: unknown) => logger.error({ err: error }, "looking at Kubernetes clusters failed"));
  });
  return {
    get checks() {
      return kube.clusters.map(({ name }) => watched.get(name)?.check ?? { cluster: name, ok: false, missing: [], problem: unknown, summary: unknown });
    },
    close() {
      stopListening();
      for (const one of watched.values()) one.close();
    },
  };
}
