import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { GatehouseError } from "../../../base/index.ts";
import { requireTool } from "../../../testing/index.ts";
import { createBridgeWorld, until } from "./test-world.ts";
import type { BridgeWorld } from "./test-world.ts";

const available = requireTool("sshd", "apt-get install openssh-server, and have /usr/sbin on PATH") && requireTool("ssh", "apt-get install openssh-client");

describe.skipIf(!available)("how recorded connections do not begin, and how they end", () => {
  let world: BridgeWorld;
  beforeAll(async () => {
    world = await createBridgeWorld();
  });
  beforeEach(() => world.reset());
  afterAll(() => world.close());
  const ready = async (command = "echo ready; cat", ...flags: readonly string[]) => {
    const running = world.ssh(...flags, "web-1", command);
    await until(() => running.stdout().includes("ready"), running.stderr);
    return running;
  };
  const last = () => world.recordings.at(-1)!;

  it("refuses a login with the cause and the refusal's id, before the host hears of it", async () => {
    world.refuses = new GatehouseError("access_denied", "ana may not log in to \"web-1\" as \"root\"", { id: "0badcafe" });
    const before = world.sshdLog().split("\n").filter((line) => line.includes("Accepted") || line.includes("preauth")).length;
    const ran = await world.ssh("web-1", "id").done;
    expect(ran.code).toBe(255);
    expect(ran.stderr).toContain('ana may not log in to "web-1" as "root" (refusal 0badcafe)\r\n');
    expect(ran.stderr).toContain("refused (refusal 0badcafe)");
    expect(world.sshdLog().split("\n").filter((line) => line.includes("Accepted") || line.includes("preauth")).length).toBe(before);
  });

  it("tells that the host does not let the gateway in, and the log why", async () => {
    const other = await createBridgeWorld({ principal: "somebody@else" });
    try {
      const ran = await other.ssh("web-1", "id").done;
      expect(ran.stderr).toContain(`host "web-1" does not let "${other.login}" in: it has no such account, or its sshd lets that one do nothing (refusal `);
      expect(other.events).toMatchObject([{ code: "T3007W", user: "ana", server_hostname: "web-1", success: false }]);
    } finally {
      await other.close();
    }
  });

  it("refuses one session too many, on the screen", async () => {
    world.options = { maxSessions: 1 };
    const first = await ready();
    const second = await world.ssh("web-1", "id").done;
    expect(second.code).toBe(255);
    expect(second.stderr).toMatch(/^ana has a session open already, as many as their roles allow \(max_sessions\) \(refusal [0-9a-f]{8}\)\n$/);
    const { id } = world.events.find(({ code }) => code === "T3007W")!;
    expect(second.stderr).toContain(id);
    first.endInput();
    expect((await first.done).code).toBe(0);
    await until(() => world.sessions.list().length === 0);
    expect((await world.ssh("web-1", "id").done).code).toBe(0);
  });

  it("runs nothing that the audit log cannot have", async () => {
    world.audited = false;
    const ran = await world.ssh("web-1", "touch", `${world.directory}/made`).done;
    expect(ran.code).toBe(255);
    expect(ran.stderr).toMatch(/^the gateway cannot write its audit log \(refusal /);
    expect((await world.run("ls", [`${world.directory}/made`])).code).not.toBe(0);
  });

  it("ends what lost its right, with the reason on the screen and in the log", async () => {
    const shell = world.ssh("-tt", "web-1", "echo ready; sleep 60");
    const command = await ready();
    await until(() => shell.stdout().includes("ready"));
    world.lost = { code: 403, message: "access ended: user \"ana\" does not exist any more" };
    world.registry.recheck();
    for (const running of [shell, command]) {
      const ran = await running.done;
      expect(ran.code).toBe(255);
      expect(ran.stderr).toContain('access ended: user "ana" does not exist any more');
    }
    await until(() => world.codes().filter((code) => code === "T2004I").length === 2);
    expect(world.events.filter(({ code }) => code === "T3006I")).toMatchObject([{ user: "ana", reason: 'access ended: user "ana" does not exist any more' }, {}]);
    expect(last().told.at(-2)).toBe('x:access ended: user "ana" does not exist any more');
  });

  it("ends one session of a connection that an administrator ends, and leaves the others", async () => {
    const control = `${world.directory}/control/kill`;
    const master = world.ssh("-M", "-N", "-S", control, "web-1");
    await until(async () => (await world.ssh("-S", control, "-O", "check", "web-1").done).code === 0);
    const doomed = await ready("echo ready; sleep 60", "-S", control);
    const { sid } = last();
    const other = await ready("echo ready; cat", "-S", control);
    world.sessions.kill(sid, "access ended: bo ended the session");
    expect(await doomed.done).toMatchObject({ code: 255, stderr: "\naccess ended: bo ended the session\n" });
    other.write("still here\n");
    await until(() => other.stdout().includes("still here"));
    other.endInput();
    expect((await other.done).code).toBe(0);
    await world.ssh("-S", control, "-O", "exit", "web-1").done;
    await master.done;
  });

  it("holds everything back while a recording is behind, and loses nothing", async () => {
    const running = await ready("echo ready; cat");
    const recording = last();
    recording.behind = true;
    recording.listener.changed();
    const sent = randomBytes(8 * 1024 * 1024);
    running.write(sent);
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect(running.stdout()).toBe("ready\n");
    recording.behind = false;
    recording.listener.changed();
    running.endInput();
    const { stdout, code } = await running.done;
    expect(code).toBe(0);
    expect(stdout.subarray(6).equals(sent)).toBe(true);
  });

  it("ends a session that can no longer be recorded, with the reason on the screen", async () => {
    const running = await ready();
    const recording = last();
    recording.behind = true;
    recording.listener.changed();
    recording.problem = "the disk is full";
    recording.listener.changed();
    expect(await running.done).toMatchObject({ code: 255, stderr: "\naccess ended: the session can no longer be recorded: the disk is full\n" });
  });

  it("gives the host what a participant types, and tells the person who is there", async () => {
    const running = world.ssh("-tt", "web-1", "echo ready; stty -echo; read line; echo got:$line");
    await until(() => running.stdout().includes("ready"));
    const join = await world.sessions.join(last().sid, { user: "bo", remoteAddress: "192.0.2.9:1", mode: "peer" }, AbortSignal.timeout(60_000));
    await until(() => running.stderr().includes("bo joined and can type"), running.stderr);
    await join.input(Buffer.from("typed by bo\r"));
    const { stdout, code } = await running.done;
    expect(stdout.toString()).toContain("got:typed by bo");
    expect(code).toBe(0);
    await expect(join.input(Buffer.from("x"))).rejects.toMatchObject({ code: "not_found" });
  });

  it("notices that the client is gone, and that the host is", async () => {
    const gone = await ready();
    gone.kill("SIGKILL");
    await gone.done;
    await until(() => world.sessions.list().length === 0);
    const left = await ready();
    world.hosts.at(-1)!.destroy();
    const ran = await left.done;
    expect(ran.code).toBe(255);
    expect(ran.stderr).toContain("the connection to the host was lost");
    await until(() => world.sessions.list().length === 0);
    expect(world.events.filter(({ code }) => code === "T2004I")).toMatchObject([{ reason: "the client's connection was lost" }, { reason: "the connection to the host was lost" }]);
  });
});
