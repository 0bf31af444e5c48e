import { createHash, randomBytes } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { requireTool } from "../../../testing/index.ts";
import { createBridgeWorld, until } from "./test-world.ts";
import type { BridgeWorld } from "./test-world.ts";

const available = requireTool("sshd", "apt-get install openssh-server, and have /usr/sbin on PATH") && requireTool("ssh", "apt-get install openssh-client");
const megabyte = 1024 * 1024;
const sha256 = (bytes: Buffer): string => createHash("sha256").update(bytes).digest("hex");

describe.skipIf(!available)("commands through a recorded connection", () => {
  let world: BridgeWorld;
  beforeAll(async () => {
    world = await createBridgeWorld();
  });
  beforeEach(() => world.reset());
  afterAll(() => world.close());
  const told = (): readonly string[] => world.recordings.at(-1)!.told;
  const output = (): string => told().filter((each) => each.startsWith("o:")).map((each) => each.slice(2)).join("");

  it("have both their outputs, their exit status and events", async () => {
    const ran = await world.ssh("web-1", "echo out; sleep 0.1; echo err >&2; exit 42").done;
    expect(ran.stderr, world.sshdLog()).toBe("err\n");
    expect(ran.stdout.toString()).toBe("out\n");
    expect(ran.code).toBe(42);
    await until(() => world.codes().length === 3);
    expect(told()).toEqual(["o:out\n", "e:err\n", "x:the command ended with exit code 42", "settled"]);
    expect(world.codes()).toEqual(["T2000I", "T3002E", "T2004I"]);
    expect(world.events[0]).toMatchObject({ user: "ana", login: world.login, server_id: "node-1", server_hostname: "web-1", proto: "ssh", recorded: true });
  });

  it("are told to be killed by a signal", async () => {
    expect((await world.ssh("web-1", "kill -TERM $$").done).code).toBe(255);
    await until(() => world.codes().includes("T2004I"));
    expect(world.events.at(-1)).toMatchObject({ exit_signal: "TERM" });
  });

  it("say on stderr what they say after the end of stdout, and read to the end of stdin", async () => {
    const late = await world.ssh("web-1", "exec 1>&-; sleep 0.2; echo late >&2; exit 3").done;
    expect(late).toMatchObject({ code: 3, stderr: "late\n" });
    const sorted = world.ssh("web-1", "sort");
    sorted.write("b\na\n");
    sorted.endInput();
    expect((await sorted.done).stdout.toString()).toBe("a\nb\n");
  });

  it("run on a terminal: keys, Ctrl-C, sizes and what became of it", async () => {
    const shell = world.spawn("script", ["-qefc", `stty cols 90 rows 20; (until [ -e ${world.directory}/resize ]; do sleep 0.1; done; stty cols 100 rows 40 </dev/tty) & exec ssh -F ${world.config} -tt web-1`, "/dev/null"]);
    await until(() => world.recordings.at(-1)?.header.gatehouse.kind === "shell");
    shell.write("PS1=; sleep 60\r");
    await writeFile(`${world.directory}/resize`, "");
    await until(() => told().some((each) => each === "r:100x40"), told);
    shell.write("\x03");
    shell.write("echo after $((20+3))\r");
    await until(() => output().includes("after 23"), output);
    shell.write("exit 7\r");
    expect((await shell.done).code).toBe(7);
    expect(world.recordings.at(-1)!.header).toMatchObject({ width: 90, height: 20, gatehouse: { kind: "shell", tty: true, command: [] } });
    expect(world.codes()).toContain("T2002I");
  });

  it("are given the environment that the host takes, which is recorded", async () => {
    const ran = await world.ssh("-o", "SetEnv=GATEHOUSE_COLOUR=blue", "web-1", "echo $GATEHOUSE_COLOUR").done;
    expect(ran.stdout.toString()).toBe("blue\n");
    expect(told()).toContain("m:env GATEHOUSE_COLOUR=blue");
  });

  it("carry 200 MB up and down, through key exchanges that both sides ask for", async () => {
    const block = randomBytes(megabyte);
    const whole = createHash("sha256");
    for (let sent = 0; sent < 200; sent++) whole.update(block);
    const up = world.ssh("-o", "RekeyLimit=32M", "web-1", "sha256sum");
    for (let sent = 0; sent < 200; sent++) up.write(block);
    up.endInput();
    expect((await up.done).stdout.toString()).toContain(whole.digest("hex"));
    const down = await world.ssh("-o", "RekeyLimit=32M", "web-1", "head -c 209715200 /dev/zero").done;
    expect(down.stdout.length).toBe(200 * megabyte);
    expect(sha256(down.stdout)).toBe(sha256(Buffer.alloc(200 * megabyte)));
    expect(down).toMatchObject({ code: 0, stderr: "" });
  });

  it("share one connection: ControlMaster with many at once", async () => {
    const control = `${world.directory}/control/one`;
    const master = world.ssh("-M", "-N", "-S", control, "web-1");
    await until(async () => (await world.ssh("-S", control, "-O", "check", "web-1").done).code === 0);
    const before = world.clients.length;
    const ran = await Promise.all(Array.from({ length: 20 }, (_, index) => world.ssh("-S", control, "web-1", `echo ${String(index)}; exit ${String(index)}`).done));
    expect(ran.map(({ code }) => code)).toEqual(Array.from({ length: 20 }, (_, index) => index));
    expect(ran.map(({ stdout }) => stdout.toString())).toEqual(Array.from({ length: 20 }, (_, index) => `${String(index)}\n`));
    expect(world.clients.length).toBe(before);
    await world.ssh("-S", control, "-O", "exit", "web-1").done;
    await master.done;
    expect(new Set(world.recordings.map(({ sid }) => sid)).size).toBe(world.recordings.length);
  });

  it("are those that a role forces, whatever is asked for", async () => {
    world.options = { forceCommands: ["echo forced: $SSH_ORIGINAL_COMMAND"] };
    expect((await world.ssh("web-1", "id").done).stdout.toString()).toBe("forced: id\n");
    expect(world.recordings.at(-1)!.header.gatehouse).toMatchObject({ kind: "exec", command: ["echo forced: $SSH_ORIGINAL_COMMAND"] });
  });

  it("of a subsystem that the host has not are refused, and told", async () => {
    const ran = await world.ssh("-s", "web-1", "netconf").done;
    expect(ran.code).toBe(255);
    expect(ran.stderr).toContain("subsystem request failed");
    await until(() => world.codes().includes("T2004I"));
    expect(world.codes()).toEqual(["T2000I", "T3001I", "T3001E", "T2004I"]);
  });
});
