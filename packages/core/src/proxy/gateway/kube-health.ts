import type { Logger } from "../../base/index.ts";
import type { KubeProxy, UpstreamCheck } from "../kube/index.ts";

const interval = 60_000;

/** What is wrong with a cluster, in words; undefined where nothing is. */
export function describeCheck(check: UpstreamCheck): string | undefined {
  if (check.ok) return undefined;
  if (check.problem !== undefined) return check.problem;
  return `cannot ${check.missing.join(", ")}`;
}

/** Knows whether the gateway may impersonate in each cluster, and looks again every minute. */
export interface KubeHealth {
  readonly checks: readonly UpstreamCheck[];
  close(): void;
}

/** Looks once, waiting for at most `waitMs`, and goes on looking. Changes are logged. */
export async function watchKubeHealth(kube: Pick<KubeProxy, "clusters" | "check">, waitMs: number, logger: Logger): Promise<KubeHealth> {
  let checks: readonly UpstreamCheck[] = kube.clusters.map(({ name }) => ({ cluster: name, ok: false, missing: [], problem: "has not answered yet" }));
  let looking = false;

  async function look(): Promise<void> {
    if (looking) return;
    looking = true;
    try {
      const before = new Map(checks.map((check) => [check.cluster, describeCheck(check)]));
      checks = await kube.check();
      for (const check of checks) {
        const problem = describeCheck(check);
        if (problem === before.get(check.cluster)) continue;
        if (problem === undefined) logger.info({ cluster: check.cluster }, "the gateway may impersonate in this Kubernetes cluster");
        else logger.warn({ cluster: check.cluster, problem }, "the gateway cannot serve this Kubernetes cluster");
      }
    } finally {
      looking = false;
    }
  }

  const timer = setInterval(() => {
    look().catch((error: unknown) => logger.error({ err: error }, "looking at Kubernetes clusters failed"));
  }, interval);
  timer.unref();
  let waited: NodeJS.Timeout | undefined;
  const first = look();
  // Whoever stops waiting leaves the look to end by itself.
  first.catch((error: unknown) => logger.error({ err: error }, "looking at Kubernetes clusters failed"));
  await Promise.race([first, new Promise<void>((resolve) => (waited = setTimeout(resolve, waitMs)))]);
  clearTimeout(waited);
  return {
    get checks() {
      return checks;
    },
    close: () => clearInterval(timer),
  };
}
