import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { stringify } from "yaml";
import { requireTool } from "../../packages/core/src/testing/index.ts";
import type { Machine } from "../support/machine.ts";
import { run, start, type Running } from "../support/process.ts";
import { hostLogin, startHost, type Host } from "../support/ssh-hosts.ts";
import { createTwoWayWorld, machinesOf } from "../support/two-ways.ts";
import type { World } from "../support/world.ts";

const available = ["sshd", "ssh"].every((tool) => requireTool(tool, "Debian: openssh-server openssh-client, and /usr/sbin on PATH"));

describe.skipIf(!available)("SSH that loses its right while it is connected", () => {
  let world: World;
  let host: Host;
  let machines: ReadonlyMap<string, Machine>;
  const role = (name: string, options: Readonly<Record<string, unknown>>, logins: readonly string[] = [hostLogin]): Promise<unknown> =>
    world.tctl(["create", "-f", "-"], { input: stringify({ kind: "role", version: "v3", metadata: { name }, spec: { options: { port_forwarding: true, ...options }, allow: { logins, node_labels: { "*": "*" } } } }) });

  beforeAll(async () => {
    world = await createTwoWayWorld();
    host = await startHost(world, "web-1");
    machines = await machinesOf(world, ["ana", "bo"]);
  });
  afterAll(async () => {
    await host.sshd.stop();
    await world.close();
  });

  const flags = (person: string): string[] => ["-F", join(machines.get(person)!.home, ".ssh", "config")];
  async function open(person: string, ...args: readonly string[]): Promise<Running> {
    const running = start("ssh", [...flags(person), ...args, "web-1.example", "echo ready; sleep 100000"], { env: machines.get(person)!.env });
    await running.waitFor(/ready/, "stdout");
    return running;
  }
  async function endsWith(running: Running, reason: RegExp, what: () => Promise<unknown>): Promise<void> {
    await what();
    // Nothing else would end it.
    expect((await running.ended).code).toBe(255);
    expect(running.stderr()).toMatch(reason);
  }
  async function unlockAll(): Promise<void> {
    const locks = JSON.parse((await world.tctl(["locks", "ls", "--format=json"])).stdout) as { name: string }[];
    for (const { name } of locks) expect(await world.tctl(["locks", "rm", name])).toMatchObject({ code: 0 });
  }
  const reasonIsLogged = async (reason: RegExp): Promise<void> => {
    await expect.poll(async () => (await world.events()).findLast(({ event }) => event === "client.disconnect")).toMatchObject({ user: expect.any(String) as string, reason: expect.stringMatching(reason) as string });
  };

  it.each(["shell", "command"])("a lock ends a recorded %s, with the reason on the screen, and its removal lets people in again", async (what) => {
    const running = await open("ana", ...(what === "shell" ? ["-tt"] : []));
    await endsWith(running, /access ended: user "ana" is locked: the audit has begun \(lock \S+\)/, () => world.tctl(["lock", "--user=ana", "--message=the audit has begun"]));
    await reasonIsLogged(/access ended: user "ana" is locked/);
    await expect.poll(async () => (await world.events()).findLast(({ event }) => event === "session.end")).toMatchObject({ proto: "ssh", user: "ana", login: hostLogin, server_hostname: "web-1", reason: expect.stringContaining("is locked") as string, recording: { complete: true } });
    await unlockAll();
    expect(await run("ssh", [...flags("ana"), "web-1.example", "echo again"], { env: machines.get("ana")!.env })).toMatchObject({ code: 0, stdout: "again\n" });
  });

  it("a role that loses its login ends it, and every command of the connection", async () => {
    const control = join(world.folder, "control");
    const first = await open("ana", "-o", "ControlMaster=yes", "-o", `ControlPath=${control}`);
    const second = await open("ana", "-o", "ControlMaster=no", "-o", `ControlPath=${control}`);
    await endsWith(first, /access ended: you may not log in to web-1 as \w+/, () => role("recorded", { ssh_recording: "proxy" }, ["somebody-else"]));
    expect((await second.ended).code).toBe(255);
    expect(second.stderr()).toMatch(/access ended: you may not log in to web-1/);
    await role("recorded", { ssh_recording: "proxy" });
  });

  it("a role that takes port forwarding back ends the connection that may have it", async () => {
    const running = await open("ana");
    await endsWith(running, /access ended: your roles allow no port forwarding any more: connect again/, () => role("recorded", { ssh_recording: "proxy", port_forwarding: false }));
    await role("recorded", { ssh_recording: "proxy" });
  });

  it("a session that is not recorded ends as soon, with the reason in the log and on the screen", async () => {
    const running = await open("bo");
    await endsWith(running, /access ended: user "bo" is locked/, () => world.tctl(["lock", "--user=bo"]));
    await reasonIsLogged(/access ended: user "bo" is locked/);
    await unlockAll();
  });

  it("an idle session ends", async () => {
    await role("recorded", { ssh_recording: "proxy", client_idle_timeout: "2s" });
    await endsWith(await open("ana"), /access ended: nothing was sent for 2 s, the longest idle time that is allowed/, () => Promise.resolve());
    await role("recorded", { ssh_recording: "proxy" });
  });

  it("a hundred at once come in, each its own session, and all end when their person is removed", async () => {
    const before = (await world.events()).filter(({ event }) => event === "session.start").length;
    const ran = await Promise.all(Array.from({ length: 100 }, (_, index) => run("ssh", [...flags("ana"), "web-1.example", `echo ${String(index)}; exit ${String(index % 7)}`], { env: machines.get("ana")!.env, timeout: 300_000 })));
    expect(ran.map(({ code, stdout }) => `${String(code)} ${stdout}`)).toEqual(Array.from({ length: 100 }, (_, index) => `${String(index % 7)} ${String(index)}\n`));
    expect((await world.events()).filter(({ event }) => event === "session.start").length - before).toBe(100);
    const open3 = await Promise.all([open("ana"), open("ana"), open("ana", "-tt")]);
    const removed = world.tctl(["users", "rm", "ana"]);
    await Promise.all(open3.map((running) => endsWith(running, /access ended: user "ana" was removed/, () => removed)));
  }, 400_000);
});
