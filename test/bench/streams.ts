import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TLSSocket } from "node:tls";
import { z } from "zod";
import { createTestAuthority } from "../stand-ins/certificates.ts";
import { kubectlBinaries, realCluster } from "../support/cluster.ts";
import { readKubeconfig } from "../support/kube-relay.ts";
import { startGateway } from "./gateway.ts";
import type { BenchGateway } from "./gateway.ts";
import { load, open } from "./load.ts";
import type { Target } from "./load.ts";
import { ask, cores, startProgram, stop } from "./processes.ts";
import { median, table, verdict } from "./table.ts";
import type { Verdict } from "./table.ts";

/** MB of one download. */
export const downloadSize = 300;

/** kubectl to measure with, and how it asks for streams. */
export interface Kubectl {
  readonly binary: string;
  readonly env: NodeJS.ProcessEnv;
}

/** `kubectl exec` of 300 MB of zeros, directly and through the gateway, in turn: by SPDY, passed as it is, and as the newest kubectl asks, translated. */
export async function benchDownload(print: (text: string) => void): Promise<readonly Verdict[]> {
  const cluster = realCluster();
  if (cluster === undefined) return [];
  const own = readKubeconfig(cluster.gatewayKubeconfig);
  const gateway = await startGateway({ url: own.server.href, ca: own.ca, certificate: { cert: own.cert, key: own.key } });
  const folder = await mkdtemp(join(tmpdir(), "gatehouse-bench-"));
  const newest = (await kubectlBinaries()).at(-1) ?? "kubectl";
  const spdy: Kubectl = { binary: newest, env: { ...process.env, KUBECTL_REMOTE_COMMAND_WEBSOCKETS: "false" } };
  // To an API server that speaks no v5, it comes by SPDY too after one refusal; the gateway translates.
  const modern: Kubectl = { binary: newest, env: { ...process.env, KUBECTL_REMOTE_COMMAND_WEBSOCKETS: "true" } };
  try {
    const kubeconfig = join(folder, "kubeconfig");
    await writeFile(kubeconfig, kubeconfigOf(gateway.ready), { mode: 0o600 });
    const runs = [
      { name: "direct", kubectl: modern, kubeconfig: cluster.adminKubeconfig, rates: [] as number[] },
      { name: "gateway", kubectl: spdy, kubeconfig, rates: [] as number[] },
      { name: "gateway, translated", kubectl: modern, kubeconfig, rates: [] as number[] },
    ];
    for (let round = 0; round < 4; round++) {
      for (const { kubectl, kubeconfig: at, rates } of runs) {
        const rate = await download(kubectl, at);
        // The first round warms up.
        if (round > 0) rates.push(rate);
      }
    }
    const [direct = 0, through = 0, translated = 0] = runs.map(({ rates }) => median(rates));
    print(table(["exec download", "MB/s"], runs.map(({ name, rates }) => [name, median(rates).toFixed(0)])));
    return [
      verdict("exec download of 300 MB", through / direct, "≥", 0.9, "× direct"),
      verdict("exec download of 300 MB, WebSocket to SPDY", translated / direct, "≥", 0.8, "× direct"),
    ];
  } finally {
    await stop(gateway.child);
    await rm(folder, { recursive: true, force: true });
  }
}

/** MB/s of one download. */
export async function download({ binary, env }: Kubectl, kubeconfig: string): Promise<number> {
  const start = performance.now();
  const args = ["--kubeconfig", kubeconfig, "exec", "shell", "--", "dd", "if=/dev/zero", "bs=1M", `count=${String(downloadSize)}`];
  const kubectl = spawn(binary, args, { stdio: ["ignore", "pipe", "ignore"], env });
  let bytes = 0;
  kubectl.stdout.on("data", (chunk: Buffer) => (bytes += chunk.length));
  const [code] = (await once(kubectl, "close")) as [number];
  if (code !== 0 || bytes !== downloadSize * 1024 * 1024) throw new Error(`kubectl exec ended with ${String(code)} after ${String(bytes)} bytes`);
  return downloadSize / ((performance.now() - start) / 1000);
}

/** A kubeconfig that reaches the gateway as its one person. */
export function kubeconfigOf({ port, ca, cert, key }: BenchGateway): string {
  const base64 = (text: string): string => Buffer.from(text).toString("base64");
  return JSON.stringify({
    apiVersion: "v1",
    kind: "Config",
    "current-context": "bench",
    clusters: [{ name: "bench", cluster: { server: `https://127.0.0.1:${String(port)}`, "certificate-authority-data": base64(ca) } }],
    users: [{ name: "bench", user: { "client-certificate-data": base64(cert), "client-key-data": base64(key) } }],
    contexts: [{ name: "bench", context: { cluster: "bench", user: "bench" } }],
  });
}

/** What the gateway under measurement says of its memory, bytes. */
export const memoryShape = z.object({ rss: z.number(), heapUsed: z.number(), external: z.number(), streams: z.number() });
type Memory = z.infer<typeof memoryShape>;

/** What requests and streams leave behind, and what a stream costs while it lies there. */
export async function benchMemory(print: (text: string) => void): Promise<readonly Verdict[]> {
  const authority = createTestAuthority("bench");
  const upstream = await startProgram(cores.rest, "bench-upstream", { ...authority.server(["localhost"], ["127.0.0.1"]), ca: authority.cert }, z.object({ port: z.number() }));
  const url = `https://127.0.0.1:${String(upstream.ready.port)}`;
  try {
    return await measureMemory(print, { url, ca: authority.cert, certificate: authority.client("gateway") });
  } finally {
    await stop(upstream.child);
  }
}

async function measureMemory(print: (text: string) => void, upstream: Parameters<typeof startGateway>[0]): Promise<readonly Verdict[]> {
  const gateway = await startGateway(upstream);
  const target: Target = { ...gateway.ready, path: "/api/v1/namespaces/default/pods" };
  const memory = (): Promise<Memory> => ask(gateway.child, "memory", memoryShape);
  /** Waits until the gateway has that many streams. */
  const settled = async (streams: number): Promise<Memory> => {
    for (let attempt = 0; attempt < 50; attempt++) {
      const now = await memory();
      if (now.streams === streams) return now;
    }
    throw new Error(`the gateway does not come to ${String(streams)} streams`);
  };
  const round = async (): Promise<void> => {
    for (let sent = 0; sent < 10_000; ) sent += (await load(target, 16, 1)).requests;
    for (let opened = 0; opened < 1000; opened += 100) {
      const streams = await openStreams(target, 100);
      for (const stream of streams) stream.destroy();
      await settled(0);
    }
  };
  try {
    // One whole round first: pools, caches and compiled code reach their size.
    await round();
    const before = await settled(0);
    await round();
    const after = await settled(0);
    const streams = await openStreams(target, 500);
    const few = await settled(500);
    streams.push(...(await openStreams(target, 1000)));
    const many = await settled(1500);
    for (const stream of streams) stream.destroy();
    const end = await settled(0);
    const rows = ([["before", before], ["after 10,000 requests, 1,000 streams", after], ["500 idle streams", few], ["1,500 idle streams", many], ["closed again", end]] as const).map(
      ([name, { rss, heapUsed, external }]) => [name, ...[rss, heapUsed, external].map((bytes) => (bytes / 1024 / 1024).toFixed(1))],
    );
    print(table(["memory after gc, MB", "resident", "heap", "external"], rows));
    return [
      verdict("memory in use after 10,000 requests and 1,000 streams", ((after.heapUsed + after.external) / (before.heapUsed + before.external) - 1) * 100, "≤", 5, "% more"),
      verdict("resident memory of one idle stream", (many.rss - few.rss) / 1000 / 1024, "≤", 150, "KB"),
    ];
  } finally {
    await stop(gateway.child);
  }
}

/** Opens streams that only lie there. */
export async function openStreams(target: Target, count: number): Promise<TLSSocket[]> {
  const request = "POST /api/v1/namespaces/default/pods/shell/exec?command=sh HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\nX-Stream-Protocol-Version: v4.channel.k8s.io\r\n\r\n";
  const streams: TLSSocket[] = [];
  // Twenty at a time: a crowd of handshakes would only wait for each other.
  while (streams.length < count) {
    const some = await Promise.all(
      Array.from({ length: Math.min(20, count - streams.length) }, async () => {
        const socket = await open(target);
        socket.on("error", () => socket.destroy());
        socket.write(request);
        const [answer] = (await once(socket, "data")) as [Buffer];
        if (!answer.toString("latin1").startsWith("HTTP/1.1 101")) throw new Error(`no stream: ${answer.toString("latin1", 0, 200)}`);
        return socket;
      }),
    );
    streams.push(...some);
  }
  return streams;
}
