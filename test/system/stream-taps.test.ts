import { spawn } from "node:child_process";
import { once } from "node:events";
import type { ChildProcess } from "node:child_process";
import { connect } from "node:net";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { howToGetACluster, kubectlBinaries, realCluster } from "../support/cluster.ts";
import { startKubeRelay } from "../support/kube-relay.ts";
import type { KubeRelay, RelayedStream } from "../support/kube-relay.ts";

const cluster = realCluster();
const kubectls = await kubectlBinaries();
const why = { code: 403, reason: "Forbidden", message: "ana was removed by an administrator [6f0e2a1c]" };

interface Run {
  readonly child: ChildProcess;
  stdout: string;
  stderr: string;
  readonly closed: Promise<number | null>;
}

describe.skipIf(cluster === undefined)(cluster === undefined ? `taps: ${howToGetACluster}` : "taps, with real kubectl and a real API server", () => {
  let relay: KubeRelay;
  const runs: Run[] = [];
  beforeEach(async () => {
    relay = await startKubeRelay(cluster!.adminKubeconfig);
  });
  afterEach(() => {
    for (const run of runs.splice(0)) run.child.kill("SIGKILL");
    relay.close();
  });

  function kubectl(binary: string, ...args: string[]): Run {
    const child = spawn(binary, ["--kubeconfig", relay.kubeconfig, ...args], { stdio: ["pipe", "pipe", "pipe"] });
    const run: Run = { child, stdout: "", stderr: "", closed: once(child, "close").then(([code]) => code as number | null) };
    child.stdout.on("data", (chunk: Buffer) => (run.stdout += chunk.toString("latin1", 0, 4096)));
    child.stderr.on("data", (chunk: Buffer) => (run.stderr += chunk.toString()));
    runs.push(run);
    return run;
  }
  const stream = async (): Promise<RelayedStream> => {
    await expect.poll(() => relay.streams.length).toBeGreaterThan(0);
    return relay.streams[0]!;
  };
  const healthy = (): void => {
    for (const { path, tap } of relay.streams) expect([path, tap.problem]).toEqual([path, undefined]);
  };

  describe.each(kubectls)("%s", (binary) => {
    it("prints why its exec ended", async () => {
      const run = kubectl(binary, "exec", "-i", "shell", "--", "sh", "-c", "echo ready; cat");
      await expect.poll(() => run.stdout).toContain("ready");
      (await stream()).end(why);
      expect(await run.closed).toBe(1);
      expect(run.stderr).toContain(why.message);
      healthy();
    });

    it("prints why in the middle of a download", async () => {
      const run = kubectl(binary, "exec", "shell", "--", "sh", "-c", "cat /dev/zero");
      await expect.poll(() => run.stdout.length).toBeGreaterThan(100_000);
      (await stream()).end(why);
      expect(await run.closed).toBe(1);
      expect(run.stderr).toContain(why.message);
      healthy();
    });

    it("brings exit codes and bytes through untouched", async () => {
      const run = kubectl(binary, "exec", "-i", "shell", "--", "sh", "-c", "wc -c; exit 3");
      run.child.stdin?.end(Buffer.alloc(3_000_000));
      expect(await run.closed).toBe(3);
      expect(run.stdout.trim()).toBe("3000000");
      healthy();
      // What had already ended is not ended again.
      const frames = (await stream()).tap.endFrames(why);
      expect(frames?.includes(why.message) ?? false).toBe(false);
    });

    it("prints why its port-forward ended", async () => {
      const run = kubectl(binary, "port-forward", "pod/shell", ":8080");
      await expect.poll(() => run.stdout).toMatch(/Forwarding from 127/);
      const port = Number(/127\.0\.0\.1:(\d+)/.exec(run.stdout)?.[1]);
      for (let round = 0; round < 3; round++) {
        const response = await fetch(`http://127.0.0.1:${String(port)}/`);
        expect(await response.text()).toBe("hello\n");
      }
      const open = connect(port, "127.0.0.1");
      open.on("error", () => undefined);
      open.write("GET / HTTP/1.1\r\n");
      // The pair of streams of this connection has to be there first.
      await expect.poll(async () => (await stream()).tap.endFrames(why)?.includes(why.message) ?? false).toBe(true);
      (await stream()).end(why);
      expect(await run.closed).toBe(1);
      expect(run.stderr).toContain(why.message);
      open.destroy();
      healthy();
    });
  });
});
