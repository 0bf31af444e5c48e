import { spawn } from "node:child_process";
import type { ChildProcess, ChildProcessWithoutNullStreams } from "node:child_process";
import { once } from "node:events";
import { requireTool } from "@gatehouse/core/testing";
import { cpuTime } from "./processes.ts";
import { benchSshSessions } from "./ssh-sessions.ts";
import { createSshPlace, ways } from "./ssh-place.ts";
import type { SshPlace, Way } from "./ssh-place.ts";
import { median, table, verdict } from "./table.ts";
import type { Verdict } from "./table.ts";

/** MB of one download. */
const downloadSize = 300;

/** What SSH through the gateway costs, against OpenSSH by itself: speed, the first prompt, the echo of a keystroke, and sessions that begin and that lie there. */
export async function benchSsh(print: (text: string) => void): Promise<readonly Verdict[]> {
  if (!requireTool("sshd", "apt-get install openssh-server, and have /usr/sbin on PATH") || !requireTool("ssh", "apt-get install openssh-client")) return [];
  const place = await createSshPlace();
  try {
    return [...(await benchSpeed(place, print)), ...(await benchFirstPrompt(place, print)), ...(await benchEcho(place, print)), ...(await benchSshSessions(place, print))];
  } finally {
    await place.close();
  }
}

function ssh(place: SshPlace, way: Way, args: readonly string[]): ChildProcessWithoutNullStreams {
  const child = spawn("ssh", [...args.slice(0, -1), ...place.args(way), ...args.slice(-1)]);
  child.stderr.pipe(process.stderr);
  return child;
}

async function benchSpeed(place: SshPlace, print: (text: string) => void): Promise<readonly Verdict[]> {
  const rates = new Map<Way, number[]>(ways.map((way) => [way, []]));
  const cpu = new Map<Way, number[]>(ways.map((way) => [way, []]));
  const gateway = place.world.gateway.child.pid ?? 0;
  for (let round = 0; round < 6; round++) {
    for (const way of ways) {
      const before = cpuTime(gateway);
      const rate = await download(ssh(place, way, [`head -c ${String(downloadSize * 1024 * 1024)} /dev/zero`]));
      // The first round warms up.
      if (round === 0) continue;
      rates.get(way)?.push(rate);
      cpu.get(way)?.push((cpuTime(gateway) - before) / 1e6);
    }
  }
  const at = (way: Way): number => median(rates.get(way) ?? []);
  print(table(["ssh download", "MB/s", "CPU s of the gateway"], ways.map((way) => [way, at(way).toFixed(0), median(cpu.get(way) ?? []).toFixed(2)])));
  return [
    verdict("ssh -J through the gateway, 300 MB", at("jumped-gateway") / at("jumped"), "≥", 0.9, "× through sshd"),
    verdict("tsh proxy ssh, 300 MB", at("tsh-passed") / at("direct"), "≥", 0.7, "× direct"),
    verdict("tsh proxy ssh, recorded, 300 MB", at("tsh-recorded") / at("direct"), "≥", 0.4, "× direct"),
  ];
}

/** MB/s of one command's output. */
async function download(child: ChildProcessWithoutNullStreams): Promise<number> {
  const start = performance.now();
  let bytes = 0;
  child.stdout.on("data", (chunk: Buffer) => (bytes += chunk.length));
  child.stdin.end();
  await ended(child);
  if (bytes !== downloadSize * 1024 * 1024) throw new Error(`ssh brought ${String(bytes)} bytes`);
  return downloadSize / ((performance.now() - start) / 1000);
}

async function ended(child: ChildProcess): Promise<void> {
  const [code] = (await once(child, "close")) as [number | null];
  if (code !== 0) throw new Error(`ssh ended with ${String(code)}`);
}

async function benchFirstPrompt(place: SshPlace, print: (text: string) => void): Promise<readonly Verdict[]> {
  const measured = ["direct", "tsh-passed", "tsh-recorded"] as const;
  const times = new Map<Way, number[]>(measured.map((way) => [way, []]));
  for (let round = 0; round < 11; round++) {
    for (const way of measured) {
      const start = performance.now();
      const child = ssh(place, way, ["-tt", "PS1='$ ' exec sh -i"]);
      await once(child.stdout, "data");
      if (round > 0) times.get(way)?.push(performance.now() - start);
      child.stdin.end("exit\n");
      await ended(child);
    }
  }
  const at = (way: Way): number => median(times.get(way) ?? []);
  print(table(["first prompt", "ms"], measured.map((way) => [way, at(way).toFixed(0)])));
  return [
    verdict("first prompt, tsh proxy ssh", at("tsh-passed") / at("direct"), "≤", 1.5, "× direct"),
    verdict("first prompt, tsh proxy ssh, recorded", at("tsh-recorded") / at("direct"), "≤", 2.5, "× direct"),
  ];
}

async function benchEcho(place: SshPlace, print: (text: string) => void): Promise<readonly Verdict[]> {
  const measured = ["direct", "tsh-recorded"] as const;
  const shells = await Promise.all(
    measured.map(async (way) => {
      // The terminal echoes; the program swallows.
      const child = ssh(place, way, ["-tt", "echo ready; exec cat > /dev/null"]);
      await once(child.stdout, "data");
      return child;
    }),
  );
  const times = measured.map((): number[] => []);
  for (let key = 0; key < 2200; key++) {
    for (const [index, child] of shells.entries()) {
      const start = performance.now();
      child.stdin.write(key % 64 === 63 ? "\n" : "x");
      await once(child.stdout, "data");
      if (key >= 200) times[index]?.push(performance.now() - start);
    }
  }
  for (const child of shells) child.kill();
  await Promise.all(shells.map((child) => once(child, "close")));
  const at = (share: number): number[] => times.map((all) => all.sort((a, b) => a - b)[Math.floor(all.length * share)] ?? Number.NaN);
  const rows = [["p50", at(0.5)] as const, ["p99", at(0.99)] as const];
  print(table(["echo of a keystroke, ms", "direct", "recorded"], rows.map(([name, values]) => [name, ...values.map((value) => value.toFixed(2))])));
  const [, [, [direct = Number.NaN, recorded = Number.NaN]]] = rows as [unknown, readonly [string, number[]]];
  return [verdict("added to the echo of a keystroke, p99, recorded", recorded - direct, "≤", 3, "ms")];
}
