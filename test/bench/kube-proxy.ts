import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { z } from "zod";
import { createTestAuthority } from "../stand-ins/certificates.ts";
import { startGateway } from "./gateway.ts";
import { loadResult } from "./load.ts";
import type { LoadResult, Target } from "./load.ts";
import { startUpstream } from "./nginx.ts";
import { cores, runProgram, startProgram, stop } from "./processes.ts";
import { median, table, verdict } from "./table.ts";
import type { Verdict } from "./table.ts";

const rounds = 3;
/** How long each measurement takes, s. */
const seconds = 2;
/** One tool that asks again at once, and sixteen that ask every 20 ms: what is measured is the way, not the queue before a core that is full. */
const loads = [{ connections: 1, pause: 0 }, { connections: 16, pause: 20 }] as const;

const target = z.object({ port: z.number(), ca: z.string(), cert: z.string(), key: z.string(), path: z.string() });

/** What the local Kubernetes proxy adds: requests to the gateway itself and through `tsh proxy kube`'s proxy, in turn. */
export async function benchKubeProxy(print: (text: string) => void): Promise<readonly Verdict[]> {
  const folder = await mkdtemp(join(tmpdir(), "gatehouse-bench-"));
  const cleanups: (() => Promise<void>)[] = [() => rm(folder, { recursive: true, force: true })];
  try {
    const authority = createTestAuthority("bench");
    const upstream = await startUpstream(cores.rest, authority);
    cleanups.push(upstream.close);
    const gateway = await startGateway({ url: `https://127.0.0.1:${String(upstream.port)}`, ca: authority.cert, certificate: authority.client("gateway") });
    cleanups.push(() => stop(gateway.child));
    const proxy = await startProgram(cores.rest, "bench-kube-proxy", { gateway: gateway.ready, runs: join(folder, "runs") }, target);
    cleanups.push(() => stop(proxy.child));
    const path = "/api/v1/namespaces/default/pods";
    const ways: readonly { readonly name: string; readonly target: Target; readonly pid: number | undefined }[] = [
      { name: "gateway", target: { ...gateway.ready, path }, pid: undefined },
      { name: "local proxy", target: { ...proxy.ready, path: `${proxy.ready.path}${path}` }, pid: proxy.child.pid },
    ];
    const rows: string[][] = [];
    const verdicts: Verdict[] = [];
    for (const { connections, pause } of loads) {
      const all = ways.map((): LoadResult[] => []);
      for (let round = 0; round < rounds; round++) {
        for (const [index, way] of ways.entries()) all[index]?.push(await runProgram(cores.rest, "bench-load", { target: way.target, connections, seconds, pid: way.pid, pause }, loadResult));
      }
      const middle = (index: number, value: (result: LoadResult) => number): number => median((all[index] ?? []).map(value));
      for (const [index, { name, pid }] of ways.entries()) {
        const cpu = pid === undefined ? "" : middle(index, (each) => each.cpu / each.requests).toFixed(0);
        rows.push([`${name}, ${String(connections)}`, middle(index, (each) => each.requests / each.seconds).toFixed(0), cpu, ...[middle(index, (each) => each.p50), middle(index, (each) => each.p99)].map((each) => each.toFixed(0))]);
      }
      const added = middle(1, ({ p50 }) => p50) - middle(0, ({ p50 }) => p50);
      verdicts.push(verdict(`p50 that tsh proxy kube adds at ${String(connections)} connection${connections === 1 ? "" : "s"}`, added / 1000, "≤", 1, "ms"));
    }
    print(table(["way, connections", "req/s", "CPU µs/req", "p50 µs", "p99 µs"], rows));
    return verdicts;
  } finally {
    for (const cleanup of cleanups.reverse()) await cleanup();
  }
}
