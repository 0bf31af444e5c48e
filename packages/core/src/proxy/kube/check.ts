import type { Dispatcher } from "undici";
import { z } from "zod";
import { GatehouseError, errorMessage, systemErrorCode } from "../../base/index.ts";
import type { UpstreamCheck } from "./types.ts";
import type { Upstream } from "./upstream.ts";

const review = z.object({ status: z.object({ allowed: z.boolean() }) });
const checkTime = 10_000;
const answerSize = 256 * 1024;

/** Asks an API server whether the gateway's own credentials may impersonate users and groups. Never throws. */
export async function checkImpersonation(upstream: Upstream): Promise<UpstreamCheck> {
  const { name: cluster, problem } = upstream;
  if (problem !== undefined) return { cluster, ok: false, missing: [], problem: problem.detail, summary: problem.summary };
  try {
    const resources = ["users", "groups"];
    const allowed = await Promise.all(resources.map((resource) => mayImpersonate(upstream, resource)));
    const missing = resources.filter((_, index) => allowed[index] !== true).map((resource) => `impersonate ${resource}`);
    const ok = missing.length === 0;
    return { cluster, ok, missing, problem: undefined, summary: ok ? undefined : `the gateway cannot ${missing.join(", ")} there` };
  } catch (error) {
    return { cluster, ok: false, missing: [], problem: errorMessage(error), summary: summaryOf(error) };
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
  const { status, text } = await ask(upstream, "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", body);
  if (status === 401) throw new GatehouseError("unauthenticated", "the API server does not accept the gateway's credentials (401)");
  if (status === 403) throw new GatehouseError("access_denied", "the gateway's credentials may not even ask what they may do (403)", { hint: "let them create selfsubjectaccessreviews" });
  if (status < 200 || status > 299) throw new GatehouseError("unavailable", `the API server answered ${String(status)} when asked what the gateway may do`);
  const parsed = review.safeParse(parseJson(text));
  if (!parsed.success) throw new GatehouseError("unavailable", "the API server's answer is not a SelfSubjectAccessReview");
  return parsed.data.status.allowed;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** One request to the API server as the gateway itself, answer read whole. */
function ask(upstream: Upstream, path: string, body: Buffer): Promise<{ readonly status: number; readonly text: string }> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    let status = 0;
    let controller: Dispatcher.DispatchController | undefined;
    const timer = setTimeout(() => {
      controller?.abort(new Error("aborted"));
      reject(new GatehouseError("unavailable", "the API server did not answer within 10 s"));
    }, checkTime);
    upstream.dispatch(false, "POST", path, ["Content-Type", "application/json", "Accept", "application/json"], body, {
      onRequestStart(started) {
        controller = started;
      },
      onResponseStart(_controller, code) {
        status = code;
      },
      onResponseData(current, chunk) {
        size += chunk.length;
        if (size > answerSize) current.abort(new Error("the API server's answer is too large"));
        else chunks.push(chunk);
      },
      onResponseEnd() {
        clearTimeout(timer);
        resolve({ status, text: Buffer.concat(chunks).toString("utf8") });
      },
      onResponseError(_controller, error) {
        clearTimeout(timer);
        reject(new GatehouseError("unavailable", `the API server cannot be reached: ${errorMessage(error)}`, { cause: error }));
      },
    });
  });
}
