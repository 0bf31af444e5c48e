import { availableParallelism, loadavg } from "node:os";
import { benchAudit, benchRealCluster, benchRequests } from "../bench/kube.ts";
import { benchAgent } from "../bench/agent.ts";
import { benchKubectl } from "../bench/kubectl.ts";
import { benchKubeProxy } from "../bench/kube-proxy.ts";
import { benchStartUp } from "../bench/start-up.ts";
import { benchDownload, benchMemory } from "../bench/streams.ts";
import { benchRecording } from "../bench/recording.ts";
import { benchSsh } from "../bench/ssh.ts";
import { verdictTable } from "../bench/table.ts";
import type { Verdict } from "../bench/table.ts";

const parts: Readonly<Record<string, (print: (text: string) => void) => Promise<readonly Verdict[]>>> = {
  "start-up": benchStartUp,
  agent: benchAgent,
  kubectl: benchKubectl,
  "proxy-kube": benchKubeProxy,
  requests: benchRequests,
  audit: benchAudit,
  cluster: benchRealCluster,
  download: benchDownload,
  memory: benchMemory,
  recording: benchRecording,
  ssh: benchSsh,
};

/** `bench [part…]`: measures, prints tables, and at the end what is required. Exit code 1 where something is missed. */
const print = (text: string): void => console.log(`\n${text}`);
const asked = process.argv.slice(2);
const unknown = asked.find((name) => parts[name] === undefined);
if (unknown !== undefined) throw new Error(`there is no part "${unknown}" of the bench; there are ${Object.keys(parts).join(", ")}`);
const verdicts: Verdict[] = [];
const [busy = 0] = loadavg();
for (const [name, run] of Object.entries(parts)) {
  if (asked.length > 0 && !asked.includes(name)) continue;
  console.error(`measuring ${name} …`);
  verdicts.push(...(await run(print)));
}
print(verdictTable(verdicts));
const before = busy / availableParallelism();
if (before > 0.3) print(`The machine was busy before the bench began (load ${busy.toFixed(1)} on ${String(availableParallelism())} cores): these numbers are no verdict.`);
process.exitCode = verdicts.every(({ holds }) => holds) ? 0 : 1;
