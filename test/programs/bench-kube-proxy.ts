import { startKubeProxy } from "@gatehouse/agent/kube-proxy";
import { kubeServerName } from "@gatehouse/core/api";
import { systemClock, systemRandom } from "@gatehouse/core/base";
import type { LoginRecord } from "@gatehouse/core/client";
import type { BenchGateway } from "../bench/gateway.ts";
import type { Target } from "../bench/load.ts";
import { readKubeconfig } from "../support/kube-relay.ts";

/** What `tsh proxy kube` runs, in front of the bench's gateway, with a login that never changes. */
const { gateway, runs } = JSON.parse(process.argv[2] ?? "{}") as { readonly gateway: BenchGateway; readonly runs: string };
const now = Date.now();
const login: LoginRecord = {
  version: 1,
  proxy: `127.0.0.1:${String(gateway.port)}`,
  cluster: "bench",
  username: "ana",
  privateKey: gateway.key,
  sshCertificate: "",
  tlsCertificate: gateway.cert,
  hostKeys: [],
  hostCertificates: [gateway.ca],
  issued: now,
  expires: now + 3_600_000,
};
const proxy = await startKubeProxy({
  clusters: [{ name: "bench", serverName: kubeServerName("bench"), context: "bench" }],
  selected: "bench",
  gateway: login.proxy,
  login: { current: () => Promise.resolve(login), doubt: () => undefined },
  listen: { port: 0 },
  runs,
  clock: systemClock,
  random: systemRandom,
});
const { server, ca, cert, key } = readKubeconfig(proxy.kubeconfig ?? "");
const ready: Target = { port: Number(server.port), ca, cert, key, path: server.pathname.replace(/\/$/, "") };
process.send?.(ready);
// The bench is gone: so is the reason to run.
process.once("disconnect", () => process.exit(1));
process.once("SIGTERM", () => {
  proxy.close().then(
    () => process.exit(0),
    (error: unknown) => {
      console.error(error);
      process.exit(1);
    },
  );
});
