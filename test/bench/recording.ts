import { once } from "node:events";
import { mkdtemp, open, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect } from "node:tls";
import type { TLSSocket } from "node:tls";
import { z } from "zod";
import { createTestAuthority } from "../stand-ins/certificates.ts";
import { realCluster } from "../support/cluster.ts";
import { readKubeconfig } from "../support/kube-relay.ts";
import { startGateway } from "./gateway.ts";
import { ask, cores, cpuTime, startProgram, stop } from "./processes.ts";
import { download, downloadSize, kubeconfigOf, memoryShape, openStreams } from "./streams.ts";
import { median, table, verdict } from "./table.ts";
import type { Verdict } from "./table.ts";

/** What recording costs: speed and CPU of a download, the echo of a keystroke, memory of sessions that only lie there. */
export async function benchRecording(print: (text: string) => void): Promise<readonly Verdict[]> {
  return [...(await benchRecordedDownload(print)), ...(await benchPlayed(print))];
}

async function benchRecordedDownload(print: (text: string) => void): Promise<readonly Verdict[]> {
  const cluster = realCluster();
  if (cluster === undefined) return [];
  const own = readKubeconfig(cluster.gatewayKubeconfig);
  const upstream = { url: own.server.href, ca: own.ca, certificate: { cert: own.cert, key: own.key } };
  const gateways = { plain: await startGateway(upstream), recorded: await startGateway({ ...upstream, recording: "strict" }) };
  const folder = await mkdtemp(join(tmpdir(), "gatehouse-bench-"));
  const kubectl = { binary: "kubectl", env: { ...process.env, KUBECTL_REMOTE_COMMAND_WEBSOCKETS: "false" } };
  try {
    const runs = [
      { name: "direct", kubeconfig: cluster.adminKubeconfig, pid: undefined, rates: [] as number[], cpu: [] as number[] },
      ...(await Promise.all(
        Object.entries(gateways).map(async ([name, { ready, child }]) => {
          const kubeconfig = join(folder, name);
          await writeFile(kubeconfig, kubeconfigOf(ready), { mode: 0o600 });
          return { name: name === "plain" ? "gateway" : "gateway, recording", kubeconfig, pid: child.pid, rates: [] as number[], cpu: [] as number[] };
        }),
      )),
    ];
    for (let round = 0; round < 6; round++) {
      for (const { kubeconfig, pid, rates, cpu } of runs) {
        await touchMemory(join(folder, "touched"));
        const before = pid === undefined ? 0 : cpuTime(pid);
        const rate = await download(kubectl, kubeconfig);
        // The first round warms up.
        if (round === 0) continue;
        rates.push(rate);
        if (pid !== undefined) cpu.push((cpuTime(pid) - before) / 1e6 / (downloadSize / 1024));
      }
    }
    print(table(["exec download", "MB/s", "CPU s per GB"], runs.map(({ name, rates, cpu }) => [name, median(rates).toFixed(0), cpu.length === 0 ? "" : median(cpu).toFixed(2)])));
    const [direct, plain, recorded] = runs;
    return [
      verdict("recorded exec download of 300 MB", median(recorded?.rates ?? []) / median(direct?.rates ?? []), "≥", 0.8, "× direct"),
      verdict("CPU of the gateway per GB, recorded", median(recorded?.cpu ?? []) / median(plain?.cpu ?? []), "≤", 2.5, "× unrecorded"),
    ];
  } finally {
    await Promise.all(Object.values(gateways).map(({ child }) => stop(child)));
    await rm(folder, { recursive: true, force: true });
  }
}

/**
 * Writes and removes as much as a download leaves on the disk. On a virtual machine whose host takes back free memory, a page of the file cache costs
 * up to ten times as much where it has to be given again first: that would be measured, and of recordings alone.
 */
async function touchMemory(path: string): Promise<void> {
  const file = await open(path, "w");
  const piece = Buffer.alloc(1024 * 1024, 1);
  for (let written = 0; written < downloadSize; written++) await file.write(piece);
  await file.close();
  await rm(path);
}

/** Where keystrokes go, and with which certificate. PEM. */
interface Place {
  readonly port: number;
  readonly ca: string;
  readonly key: string;
  readonly cert: string;
}

async function benchPlayed(print: (text: string) => void): Promise<readonly Verdict[]> {
  const authority = createTestAuthority("bench");
  const played = await startProgram(cores.rest, "bench-upstream", { ...authority.server(["localhost"], ["127.0.0.1"]), ca: authority.cert }, z.object({ port: z.number() }));
  const certificate = authority.client("gateway");
  const gateway = await startGateway({ url: `https://127.0.0.1:${String(played.ready.port)}`, ca: authority.cert, certificate, recording: "strict" });
  try {
    const direct = await openTyping({ port: played.ready.port, ca: authority.cert, ...certificate });
    const through = await openTyping(gateway.ready);
    const times: { readonly direct: number[]; readonly through: number[] } = { direct: [], through: [] };
    for (let key = 0; key < 2200; key++) {
      const [a, b] = [await type(direct), await type(through)];
      if (key < 200) continue;
      times.direct.push(a);
      times.through.push(b);
    }
    direct.destroy();
    through.destroy();
    const at = (share: number): number[] => [times.direct, times.through].map((all) => all.sort((a, b) => a - b)[Math.floor(all.length * share)] ?? Number.NaN);
    const rows = [["p50", at(0.5)] as const, ["p99", at(0.99)] as const];
    print(table(["echo of a keystroke, ms", "direct", "recorded"], rows.map(([name, values]) => [name, ...values.map((value) => value.toFixed(2))])));

    const resident = async (count: number): Promise<number> => {
      for (let attempt = 0; attempt < 50; attempt++) {
        const { rss, streams } = await ask(gateway.child, "memory", memoryShape);
        if (streams === count) return rss;
      }
      throw new Error(`the gateway does not come to ${String(count)} streams`);
    };
    const target = { ...gateway.ready, path: "/api/v1/namespaces/default/pods" };
    await resident(0);
    const streams = await openStreams(target, 500);
    const few = await resident(500);
    streams.push(...(await openStreams(target, 1000)));
    const many = await resident(1500);
    for (const stream of streams) stream.destroy();
    return [
      ...rows.map(([name, [a = Number.NaN, b = Number.NaN]]) => verdict(`added to the echo of a keystroke, ${name}`, b - a, "≤", 2, "ms")),
      verdict("resident memory of one idle recorded session", (many - few) / 1000 / 1024, "≤", 200, "KB"),
    ];
  } finally {
    await Promise.all([stop(gateway.child), stop(played.child)]);
  }
}

async function openTyping({ port, ca, key, cert }: Place): Promise<TLSSocket> {
  const socket = connect({ host: "127.0.0.1", port, servername: "localhost", ca, key, cert });
  await once(socket, "secureConnect");
  socket.setNoDelay(true);
  socket.write("GET /api/v1/namespaces/default/pods/shell/exec?command=sh&stdin=true&tty=true HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Protocol: v4.channel.k8s.io\r\n\r\n");
  await once(socket, "data");
  return socket;
}

/** ms from a keystroke to its echo. */
async function type(socket: TLSSocket): Promise<number> {
  const start = performance.now();
  socket.write(Buffer.from([0x82, 0x82, 0, 0, 0, 0, 0, 0x78]));
  await once(socket, "data");
  return performance.now() - start;
}
