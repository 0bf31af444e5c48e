import type { KubeUpstream } from "@gatehouse/core/proxy/kube";
import type { BenchGateway } from "../bench/gateway.ts";
import { startFixedGateway } from "../support/fixed-gateway.ts";

/** The gateway's Kubernetes proxy as it runs in production, but for the login: the one person `ana` of the group `developers`. */
const { audited = true, recording = "off", ...upstream } = JSON.parse(process.argv[2] ?? "{}") as Pick<KubeUpstream, "url" | "ca" | "certificate"> & { readonly audited?: boolean; readonly recording?: "strict" };
const cluster: KubeUpstream = { ...upstream, name: "bench", labels: {}, insecureSkipTlsVerify: false, serverName: undefined, token: undefined };
const gateway = await startFixedGateway({ clusters: [cluster], people: { ana: ["developers"] }, audited, recording });
const { key, cert } = await gateway.credentials("ana");
const ready: BenchGateway = { port: gateway.port, ca: gateway.ca, key, cert };
process.send?.(ready);
process.on("message", () => {
  collected().then(() => process.send?.({ ...process.memoryUsage(), streams: gateway.proxy.streams.count }), failed);
});
// The bench is gone: so is the reason to run.
process.once("disconnect", () => process.exit(1));
process.once("SIGTERM", () => {
  gateway.close().then(() => process.exit(0), failed);
});

function failed(error: unknown): void {
  console.error(error);
  process.exit(1);
}

/** Several rounds: what one frees may hold what the next can free. */
async function collected(): Promise<void> {
  for (let round = 0; round < 4; round++) {
    globalThis.gc?.();
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
