import { z } from "zod";
import { GatehouseError, errorMessage, systemErrorCode } from "../../base/index.ts";
import { askUpstream, parseJson } from "./ask.ts";
import type { UpstreamCheck } from "./types.ts";
import type { Upstream } from "./upstream.ts";

const review = z.object({ status: z.object({ allowed: z.boolean() }) });

/**
 * Asks an API server whether the gateway's own credentials may impersonate users and groups, and in passing of which version it is. Never
 * throws.
 */
export async function checkImpersonation(upstream: Upstream): Promise<UpstreamCheck> {
  const { name: cluster, problem } = upstream;
  if (problem !== undefined) return { cluster, ok: false, missing: [], problem: problem.detail, summary: problem.summary };
  const learnt = upstream.streamSupport.learn();
  try {
    const resources = ["users", "groups"];
    const allowed = await Promise.all(resources.map((resource) => mayImpersonate(upstream, resource)));
    const missing = resources.filter((_, index) => allowed[index] !== true).map((resource) => `impersonate ${resource}`);
    const ok = missing.length === 0;
    return { cluster, ok, missing, problem: undefined, summary: ok ? undefined : `the gateway cannot ${missing.join(", ")} there` };
  } catch (error) {
    return { cluster, ok: false, missing: [], problem: errorMessage(error), summary: summaryOf(error) };
  } finally {
    await learnt;
  }
}

/** What failed, without the address that it failed at. */
function summaryOf(error: unknown): string {
  if (!(error instanceof GatehouseError) || error.cause === undefined) return errorMessage(error);
  const code = systemErrorCode(error.cause);
  return `its API server cannot be reached${code === undefined ? "" : ` (${code})`}`;
}

async function mayImpersonate(upstream: Upstream, resource: string): Promise<boolean> {
  const body = Buffer.from(
    JSON.stringify({
      kind: "SelfSubjectAccessReview",
      apiVersion: "authorization.k8s.io/v1",
      spec: { resourceAttributes: { group: "", resource, verb: "impersonate" } },
    }),
  );
  const { status, text } = await askUpstream(upstream, "POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", { body });
  if (status === 401) throw new GatehouseError("unauthenticated", "the API server does not accept the gateway's credentials (401)");
  if (status === 403) throw new GatehouseError("access_denied", "the gateway's credentials may not even ask what they may do (403)", { hint: "let them create selfsubjectaccessreviews" });
  if (status < 200 || status > 299) throw new GatehouseError("unavailable", `the API server answered ${String(status)} when asked what the gateway may do`);
  const parsed = review.safeParse(parseJson(text));
  if (!parsed.success) throw new GatehouseError("unavailable", "the API server's answer is not a SelfSubjectAccessReview");
  return parsed.data.status.allowed;
}
