import type { KubeUpstream } from "@gatehouse/core/proxy/kube";
import { z } from "zod";
import { cores, startProgram } from "./processes.ts";
import type { Started } from "./processes.ts";

/** What the gateway under measurement tells the bench: where it is, and a certificate for its one person. PEM. */
const benchGateway = z.object({ port: z.number(), ca: z.string(), key: z.string(), cert: z.string() });
export type BenchGateway = z.infer<typeof benchGateway>;

/** Starts a gateway before an API server, on the core of what is measured; with `audited: false` one that audits nothing, with `recording` one that records. */
export function startGateway(upstream: Pick<KubeUpstream, "url" | "ca" | "certificate"> & { readonly audited?: boolean; readonly recording?: "strict" }): Promise<Started<BenchGateway>> {
  return startProgram(cores.measured, "bench-gateway", upstream, benchGateway);
}
