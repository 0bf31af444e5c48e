import { readFile, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { requirePostQuantumOpenSsh } from "../../packages/core/src/testing/index.ts";
import type { Machine } from "../support/machine.ts";
import { run } from "../support/process.ts";
import { hostLogin, startHost, type Host } from "../support/ssh-hosts.ts";
import { createTwoWayWorld, machinesOf } from "../support/two-ways.ts";
import type { World } from "../support/world.ts";

const openssh = requirePostQuantumOpenSsh();
const name = "mlkem768x25519-sha256";
/** Bytes of a stream, and after how many ssh asks for new keys. */
const [bytes, limit] = [8_000_000, "1M"];

/** The key exchanges that a log of OpenSSH's at DEBUG1 tells of. */
const exchanges = (log: string): string[] => [...log.matchAll(/kex: algorithm: (\S+)/g)].map(([, kex]) => kex!);

describe.skipIf(!openssh)("SSH whose keys no quantum computer finds", () => {
  let world: World;
  let host: Host;
  let machines: ReadonlyMap<string, Machine>;

  beforeAll(async () => {
    world = await createTwoWayWorld();
    host = await startHost(world, "web-1", { config: ["LogLevel DEBUG1", ...openssh!.sshdConfig], sshd: openssh!.sshd });
    machines = await machinesOf(world, ["ana", "bo"]);
  });
  afterAll(async () => {
    await host.sshd.stop();
    await world.close();
  });

  /** Runs `act`, which leads to the host once, and sees how the host exchanged keys. */
  async function toHost(act: () => Promise<void>): Promise<void> {
    const since = host.sshd.log().length;
    await act();
    await expect.poll(() => exchanges(host.sshd.log().slice(since))).toEqual([name]);
  }

  it("between ssh and the gateway, and between the gateway and the host, first and whenever ssh asks again", async () => {
    const { home, env } = machines.get("ana")!;
    await toHost(async () => {
      const { code, stdout, stderr } = await run(openssh!.ssh, ["-v", "-F", join(home, ".ssh", "config"), "-o", `RekeyLimit=${limit}`, "web-1.example", `head -c ${String(bytes)} /dev/zero`], { env });
      expect([code, stdout.length]).toEqual([0, bytes]);
      expect(stderr).toContain("remote software version Gatehouse");
      expect(exchanges(stderr).length).toBeGreaterThan(3);
      expect(new Set(exchanges(stderr))).toEqual(new Set([name]));
    });
  });

  it("on the gateway's SSH port, with nothing of ours but a key and its certificate", async () => {
    const { home, env } = machines.get("ana")!;
    const keys = join(home, ".tsh", "keys");
    const file = (await readdir(keys)).find((each) => each.endsWith(".json"))!;
    const record = JSON.parse(await readFile(join(keys, file), "utf8")) as { privateKey: string; sshCertificate: string };
    const own = join(world.folder, "own");
    await writeFile(own, record.privateKey, { mode: 0o600 });
    await writeFile(`${own}-cert.pub`, record.sshCertificate);
    const knownHosts = (await readdir(join(home, ".tsh"))).find((each) => each.endsWith(".known_hosts"))!;
    const [, port = ""] = world.ready.addresses.ssh?.split(/:(?=\d+$)/) ?? [];
    const options = [`IdentityFile=${own}`, `CertificateFile=${own}-cert.pub`, `UserKnownHostsFile=${join(home, ".tsh", knownHosts)}`, `HostKeyAlias=${world.proxy.split(":")[0]!}`, "IdentityAgent=none", "StrictHostKeyChecking=yes", "BatchMode=yes"];
    const { code, stdout, stderr } = await run(openssh!.ssh, ["-v", "-F", "none", "-p", port, ...options.flatMap((option) => ["-o", option]), "-s", `${hostLogin}@127.0.0.1`, "proxysites"], { env });
    expect(code, stderr).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject([{ name: "example" }]);
    expect(exchanges(stderr)).toEqual([name]);
  });

  it.each([["the gateway's bridge", "ana"], ["tsh itself, end to end", "bo"]])("without OpenSSH on this side: the host is asked by %s", async (_, person) => {
    await toHost(async () => {
      const outcome = await machines.get(person)!.tsh(["ssh", "--no-openssh", `${hostLogin}@web-1`, "echo in"]);
      expect([outcome.code, outcome.stdout], outcome.stderr).toEqual([0, "in\n"]);
    });
  });
});
