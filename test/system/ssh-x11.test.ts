import { randomBytes } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { requireTool } from "../../packages/core/src/testing/index.ts";
import type { Machine } from "../support/machine.ts";
import { run, type Outcome } from "../support/process.ts";
import { createHostRole, startHost, type Host } from "../support/ssh-hosts.ts";
import { machinesOf } from "../support/two-ways.ts";
import { createWorld, type World } from "../support/world.ts";
import { startXServer, xClient, type XServer } from "../support/x-server.ts";

const available = ["sshd", "ssh", "xauth"].every((tool) => requireTool(tool, "Debian: openssh-server openssh-client xauth, and /usr/sbin on PATH"));

describe.skipIf(!available)("X11 through the gateway", () => {
  const cookie = randomBytes(16).toString("hex");
  let world: World;
  let host: Host;
  let screen: XServer;
  let program: string;
  let machines: ReadonlyMap<string, Machine>;
  /** Who is recorded and may, who is not recorded and may, who are both and may not. */
  const roles = { ana: ["recorded"], bo: ["unrecorded"], di: ["without"] } as const;
  let mode: "proxy" | "off" = "proxy";
  const allowNobody = (ssh_recording: "proxy" | "off"): Promise<void> => {
    mode = ssh_recording;
    return createHostRole(world, "without", { ssh_recording });
  };

  beforeAll(async () => {
    world = await createWorld({
      config: (config) => (config.proxy_service["ssh_listen_addr"] = "127.0.0.1:0"),
      connector: { teams_to_logins: [], teams_to_roles: [{ organization: "octocats", team: "developers", roles: [...roles.ana] }, { organization: "octocats", team: "viewers", roles: [...roles.bo] }, { organization: "octocats", team: "web", roles: [...roles.di] }] },
    });
    await createHostRole(world, "recorded", { ssh_recording: "proxy", x11_forwarding: true });
    await createHostRole(world, "unrecorded", { ssh_recording: "off", x11_forwarding: true });
    await createHostRole(world, "without", { ssh_recording: mode });
    // The account's own file of cookies stays as it is.
    const cookies = join(world.folder, "host.Xauthority");
    await writeFile(cookies, "", { mode: 0o600 });
    host = await startHost(world, "web-1", { config: ["X11Forwarding yes", `SetEnv XAUTHORITY=${cookies}`] });
    screen = await startXServer(cookie);
    program = join(world.folder, "x-client.mjs");
    await writeFile(program, xClient);
    machines = await machinesOf(world, Object.keys(roles));
    for (const machine of machines.values()) {
      const env = { ...machine.env, XAUTHORITY: join(machine.home, ".Xauthority") };
      expect(await run("xauth", ["-q", "add", screen.display, ".", cookie], { env })).toMatchObject({ code: 0 });
    }
  });
  afterAll(async () => {
    await screen.close();
    await host.sshd.stop();
    await world.close();
  });

  /** With -X some builds of OpenSSH trust the host, others ask the X server for a cookie of less worth first: nothing that the gateway sees. */
  function ssh(person: string, flag: string, command: string): Promise<Outcome> {
    const machine = machines.get(person)!;
    const env = { ...machine.env, DISPLAY: screen.display, XAUTHORITY: join(machine.home, ".Xauthority") };
    return run("ssh", ["-F", join(machine.home, ".ssh", "config"), "-o", "ForwardX11Trusted=yes", flag, "web-1.example", command], { env });
  }
  const client = (): string => `'${process.execPath}' '${program}'`;

  describe.each([["proxy", "ana"], ["off", "bo"]] as const)("recording: %s", (recording, person) => {
    it.each(["-X", "-Y"])("%s: a program on the host shows its own cookie, and the screen sees the person's", async (flag) => {
      const before = screen.shown.length;
      const outcome = await ssh(person, flag, client());
      expect([outcome.code, outcome.stderr]).toEqual([0, ""]);
      const told = JSON.parse(outcome.stdout) as { readonly cookie: string };
      expect(told).toEqual({ cookie: expect.stringMatching(/^[0-9a-f]{32}$/) as string, status: 1, heard: "drawn on the screen" });
      // The person's cookie never reaches the host, nor the gateway.
      expect(told.cookie).not.toBe(cookie);
      expect(screen.shown.slice(before)).toEqual([{ protocol: "MIT-MAGIC-COOKIE-1", cookie, accepted: true }]);
    });

    it("a program that shows another cookie is let go nowhere", async () => {
      const before = screen.shown.length;
      const outcome = await ssh(person, "-Y", `${client()} ${"00".repeat(16)}`);
      expect(JSON.parse(outcome.stdout)).toMatchObject({ heard: "" });
      expect(outcome.stderr).toMatch(/X11 connection rejected because of wrong authentication/);
      expect(screen.shown.slice(before)).toEqual([]);
    });

    it.each(["-X", "-Y"])("%s: refused without a role that allows it, and the session runs", async (flag) => {
      if (mode !== recording) await allowNobody(recording);
      const before = screen.shown.length;
      const outcome = await ssh("di", flag, client());
      expect(outcome).toMatchObject({ code: 0, stdout: "no display\n", stderr: expect.stringMatching(/^X11 forwarding request failed on channel 0\s+$/) as string });
      expect(screen.shown.slice(before)).toEqual([]);
    });
  });
});
