import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ChildProcess } from "node:child_process";
import { createTestAuthority } from "../stand-ins/certificates.ts";
import { realCluster } from "../support/cluster.ts";
import { readKubeconfig } from "../support/kube-relay.ts";
import { startGateway } from "./gateway.ts";
import { loadResult } from "./load.ts";
import type { LoadResult, Target } from "./load.ts";
import { startProxy, startUpstream } from "./nginx.ts";
import { cores, runProgram, stop } from "./processes.ts";
import { table, verdict } from "./table.ts";
import type { Verdict } from "./table.ts";

interface Way {
  readonly name: string;
  readonly target: Target;
  /** The process whose CPU time is counted. */
  readonly child?: ChildProcess;
}

interface Measured extends LoadResult {
  readonly name: string;
  readonly perSecond: number;
  /** µs of CPU for one request; undefined where nobody's is counted. */
  readonly cpuEach: number | undefined;
}

/** How long each measurement takes, s. */
const seconds = 4;
const concurrencies = [1, 16, 64];

async function measure(way: Way, connections: number): Promise<Measured> {
  const pid = way.child?.pid;
  const result = await runProgram(cores.rest, "bench-load", { target: way.target, connections, seconds, pid }, loadResult);
  return { ...result, name: way.name, perSecond: result.requests / result.seconds, cpuEach: pid === undefined ? undefined : result.cpu / result.requests };
}

function row({ name, perSecond, cpuEach, p50, p99 }: Measured, connections: number): string[] {
  return [`${name}, ${String(connections)}`, perSecond.toFixed(0), cpuEach === undefined ? "" : cpuEach.toFixed(0), p50.toFixed(0), p99.toFixed(0)];
}

const header = ["way, connections", "req/s", "CPU µs/req", "p50 µs", "p99 µs"];

/** Requests against a cheap upstream: directly, through nginx, through the gateway. */
export async function benchRequests(print: (text: string) => void): Promise<readonly Verdict[]> {
  const authority = createTestAuthority("bench");
  const client = authority.client("gateway");
  const folder = await mkdtemp(join(tmpdir(), "gatehouse-bench-"));
  const inFolder = (name: string): string => join(folder, name);
  await Promise.all([writeFile(inFolder("client.pem"), client.cert), writeFile(inFolder("client.key"), client.key, { mode: 0o600 }), writeFile(inFolder("ca.pem"), authority.cert)]);
  const cleanups: (() => Promise<void>)[] = [() => rm(folder, { recursive: true, force: true })];
  try {
    const upstream = await startUpstream(cores.rest, authority);
    cleanups.push(upstream.close);
    const proxy = await startProxy(cores.measured, authority, upstream.port, inFolder);
    cleanups.push(proxy.close);
    const gateway = await startGateway({ url: `https://127.0.0.1:${String(upstream.port)}`, ca: authority.cert, certificate: client });
    cleanups.push(() => stop(gateway.child));
    const path = "/api/v1/namespaces/default/pods";
    const direct: Way = { name: "direct", target: { port: upstream.port, ca: authority.cert, ...client, path }, child: upstream.child };
    const through: Way = { name: "nginx", target: { port: proxy.port, ca: authority.cert, ...client, path }, child: proxy.child };
    const ours: Way = { name: "gateway", target: { ...gateway.ready, path }, child: gateway.child };
    await measure(ours, 16);
    const rows: string[][] = [];
    const verdicts: Verdict[] = [];
    for (const connections of concurrencies) {
      const [straight, nginx, own] = [await measure(direct, connections), await measure(through, connections), await measure(ours, connections)];
      rows.push(...[straight, nginx, own].map((one) => row(one, connections)));
      rows.push([`  gateway adds`, "", "", String(own.p50 - straight.p50), String(own.p99 - straight.p99)]);
      if (connections === 1) verdicts.push(verdict("added p50 at 1 connection", (own.p50 - straight.p50) / 1000, "≤", 0.5, "ms"));
      else verdicts.push(verdict(`requests of one core at ${String(connections)}, by CPU time`, (nginx.cpuEach ?? 0) / (own.cpuEach ?? 1), "≥", 0.3, "× nginx"));
    }
    print(table(header, rows));
    return verdicts;
  } finally {
    for (const cleanup of cleanups.reverse()) await cleanup();
  }
}

/** What auditing costs: requests through the gateway as it is, and through one that audits nothing, in turn. */
export async function benchAudit(print: (text: string) => void): Promise<readonly Verdict[]> {
  const authority = createTestAuthority("bench");
  const client = authority.client("gateway");
  const cleanups: (() => Promise<void>)[] = [];
  try {
    const upstream = await startUpstream(cores.rest, authority);
    cleanups.push(upstream.close);
    const options = { url: `https://127.0.0.1:${String(upstream.port)}`, ca: authority.cert, certificate: client };
    const path = "/api/v1/namespaces/default/pods";
    const ways: Way[] = [];
    for (const audited of [true, false]) {
      const gateway = await startGateway({ ...options, audited });
      cleanups.push(() => stop(gateway.child));
      ways.push({ name: audited ? "audited" : "not audited", target: { ...gateway.ready, path }, child: gateway.child });
    }
    const best = new Map<string, Measured>();
    for (const way of ways) await measure(way, 16);
    for (let round = 0; round < 4; round++) {
      for (const way of ways) {
        const one = await measure(way, 64);
        if (one.perSecond > (best.get(way.name)?.perSecond ?? 0)) best.set(way.name, one);
      }
    }
    const [audited, silent] = [best.get("audited"), best.get("not audited")];
    if (!audited || !silent) throw new Error("nothing was measured");
    print(table(header, [row(silent, 64), row(audited, 64)]));
    return [
      verdict("requests per second with kube.request audited, at 64", audited.perSecond / silent.perSecond, "≥", 0.9, "× not audited"),
      verdict("the same by CPU time", (silent.cpuEach ?? 0) / (audited.cpuEach ?? 1), "≥", 0.9, "× not audited"),
    ];
  } finally {
    for (const cleanup of cleanups.reverse()) await cleanup();
  }
}

/** Requests and new connections against the real API server, directly and through the gateway. */
export async function benchRealCluster(print: (text: string) => void): Promise<readonly Verdict[]> {
  const cluster = realCluster();
  if (cluster === undefined) {
    print("no real Kubernetes (GATEHOUSE_TEST_CLUSTER_DIR): its ratios are not measured");
    return [];
  }
  const admin = readKubeconfig(cluster.adminKubeconfig);
  const own = readKubeconfig(cluster.gatewayKubeconfig);
  const gateway = await startGateway({ url: own.server.href, ca: own.ca, certificate: { cert: own.cert, key: own.key } });
  try {
    const path = "/api/v1/namespaces/default/pods?limit=5";
    const straight: Way = { name: "API server", target: { port: Number(admin.server.port), ca: admin.ca, cert: admin.cert, key: admin.key, path } };
    const through: Way = { name: "gateway", target: { ...gateway.ready, path }, child: gateway.child };
    await measure(through, 16);
    const rows: string[][] = [];
    const verdicts: Verdict[] = [];
    for (const connections of [16, 64]) {
      const [a, b] = [await measure(straight, connections), await measure(through, connections)];
      rows.push(row(a, connections), row(b, connections));
      verdicts.push(verdict(`requests per second, real API server, at ${String(connections)}`, b.perSecond / a.perSecond, "≥", 0.6, "× direct"));
    }
    const fresh = (way: Way): Promise<LoadResult> => runProgram(cores.rest, "bench-load", { target: way.target, newConnections: 200 }, loadResult);
    const rounds = [await fresh(straight), await fresh(through), await fresh(straight), await fresh(through)];
    const best = (from: number): number => Math.min(rounds[from]?.p50 ?? 0, rounds[from + 2]?.p50 ?? 0);
    rows.push(["API server, new connection", "", "", String(best(0)), ""], ["gateway, new connection", "", "", String(best(1)), ""]);
    verdicts.push(verdict("new connection and first request", best(1) / best(0), "≤", 1.6, "× direct"));
    print(table(header, rows));
    return verdicts;
  } finally {
    await stop(gateway.child);
  }
}
