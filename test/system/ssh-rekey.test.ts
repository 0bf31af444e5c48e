import { createHash } from "node:crypto";
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { requireTool } from "../../packages/core/src/testing/index.ts";
import type { Machine } from "../support/machine.ts";
import { startHost, type Host } from "../support/ssh-hosts.ts";
import { createTwoWayWorld, machinesOf } from "../support/two-ways.ts";
import type { World } from "../support/world.ts";

const available = ["sshd", "ssh", "openssl"].every((tool) => requireTool(tool, "Debian: openssh-server openssh-client openssl, and /usr/sbin on PATH"));
const modes = ["proxy", "off"] as const;
/** Who is recorded, and who is not. */
const personOf = { proxy: "ana", off: "bo" } as const;
/** MiB of one stream, and after how many each side of OpenSSH asks for new keys. */
const [size, limit] = [96, 16];
const bytes = size * 1024 * 1024;
/** Bytes that nobody can compress, the same each time. */
const source = `openssl enc -aes-128-ctr -K 00 -iv 00 -in /dev/zero 2>/dev/null | head -c ${String(bytes)}`;

/** A client under way whose output is counted and hashed as it comes. */
class Stream {
  readonly child: ChildProcess;
  readonly digest = createHash("sha256");
  received = 0;
  /** The beginning of what came. */
  text = "";
  stderr = "";

  constructor(script: string, env: NodeJS.ProcessEnv) {
    this.child = spawn("bash", ["-c", script], { env, stdio: ["ignore", "pipe", "pipe"] });
    this.child.stderr!.on("data", (chunk: Buffer) => (this.stderr += chunk.toString()));
    this.child.stdout!.on("data", (chunk: Buffer) => {
      if (this.received === 0) this.text = chunk.toString("latin1", 0, 64);
      this.received += chunk.length;
      this.digest.update(chunk);
    });
  }

  async ended(): Promise<{ readonly code: number | null; readonly received: number; readonly digest: string }> {
    const [code] = (await once(this.child, "close")) as [number | null];
    return { code, received: this.received, digest: this.digest.digest("hex") };
  }
}

/** Key exchanges after the first that OpenSSH's log (`-v`) tells of. */
const rekeys = (log: string): number => log.split("SSH2_MSG_NEWKEYS received").length - 2;

describe.skipIf(!available)("SSH whose keys change on the way", () => {
  let world: World;
  const hosts: Host[] = [];
  let machines: ReadonlyMap<string, Machine>;
  let wanted: string;

  beforeAll(async () => {
    world = await createTwoWayWorld();
    hosts.push(await startHost(world, "bytes", { config: [`RekeyLimit ${String(limit)}M`, "LogLevel DEBUG1"] }), await startHost(world, "time", { config: ["RekeyLimit default 1s", "LogLevel DEBUG1"] }));
    machines = await machinesOf(world, ["ana", "bo"]);
    wanted = (await new Stream(source, process.env).ended()).digest;
  });
  afterAll(async () => {
    for (const { sshd } of hosts) await sshd.stop();
    await world.close();
  });

  /** Runs in bash what may call `there COMMAND`: ssh to a host, at a verbosity that tells of key exchanges. */
  function stream(mode: (typeof modes)[number], host: string, script: string, options: readonly string[]): Stream {
    const machine = machines.get(personOf[mode])!;
    const words = ["-v", "-F", join(machine.home, ".ssh", "config"), ...options.flatMap((option) => ["-o", option]), `${host}.example`];
    return new Stream(`there() { ssh ${words.map((word) => `'${word}'`).join(" ")} "$@"; }; ${script}`, machine.env);
  }

  const ways: Readonly<Record<string, string>> = {
    down: `there "${source}"`,
    up: `${source} | there "sha256sum"`,
    "both ways at once": `${source} | there cat`,
  };

  describe.each(modes)("recording: %s", (mode) => {
    it.each(Object.entries(ways))("a stream %s, new keys after some bytes wanted by both ends", async (way, script) => {
      const since = hosts[0]!.sshd.log().length;
      const running = stream(mode, "bytes", script, [`RekeyLimit=${String(limit)}M`]);
      const { code, ...came } = await running.ended();
      expect(code, running.stderr).toBe(0);
      if (way === "up") expect(running.text).toBe(wanted);
      else expect(came).toEqual({ received: bytes, digest: wanted });
      expect(rekeys(running.stderr)).toBeGreaterThanOrEqual(size / limit - 1);
      await expect.poll(() => rekeys(hosts[0]!.sshd.log().slice(since))).toBeGreaterThanOrEqual(size / limit - 1);
    });

    it("a stream both ways that nobody takes for a while, new keys every second wanted by both ends", async () => {
      const flag = join(world.folder, `${mode}.flag`);
      const { sshd } = hosts[1]!;
      const since = sshd.log().length;
      const running = stream(mode, "time", `${source} | there "until test -e ${flag}; do sleep 0.1; done; cat"`, ["RekeyLimit=default 1s", "ServerAliveInterval=1"]);
      running.child.stdout!.pause();
      const both = (): number => Math.min(rekeys(running.stderr), rekeys(sshd.log().slice(since)));
      // First the host takes nothing, then this end; only packets between two of them let OpenSSH ask for the next keys.
      await expect.poll(both).toBeGreaterThanOrEqual(2);
      await writeFile(flag, "");
      const before = both();
      await expect.poll(both).toBeGreaterThanOrEqual(before + 2);
      running.child.stdout!.resume();
      const { code, ...came } = await running.ended();
      expect(code, running.stderr).toBe(0);
      expect(came).toEqual({ received: bytes, digest: wanted });
      await rm(flag);
    });
  });
});
