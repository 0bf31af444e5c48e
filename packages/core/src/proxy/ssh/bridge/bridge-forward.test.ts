import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Server } from "node:net";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { freePort, requireTool } from "../../../testing/index.ts";
import { createBridgeWorld, until } from "./test-world.ts";
import type { BridgeWorld, Running } from "./test-world.ts";

const available = requireTool("sshd", "apt-get install openssh-server, and have /usr/sbin on PATH") && requireTool("ssh", "apt-get install openssh-client");

/** Says what it is told, and closes when the other does; "" where nobody is there. */
async function ask(port: number, text: string): Promise<string> {
  const socket = connect(port, "127.0.0.1");
  let answer = "";
  socket.on("data", (chunk) => (answer += chunk.toString()));
  socket.on("error", () => undefined);
  socket.end(text);
  await new Promise((resolve) => socket.once("close", resolve));
  return answer;
}

describe.skipIf(!available)("what else goes through a recorded connection", () => {
  let world: BridgeWorld;
  let echo: Server;
  let target: number;
  const started: Running[] = [];
  const ssh = (...args: readonly string[]): Running => {
    const running = world.ssh(...args);
    started.push(running);
    return running;
  };
  beforeAll(async () => {
    world = await createBridgeWorld();
    echo = createServer({ allowHalfOpen: true }, (socket) => socket.pipe(socket)).listen(0, "127.0.0.1");
    await once(echo, "listening");
    target = (echo.address() as AddressInfo).port;
  });
  beforeEach(async () => {
    await Promise.all(started.splice(0).map((each) => {
      each.kill("SIGKILL");
      return each.done;
    }));
    await until(() => world.sessions.list().length === 0);
    world.reset();
  });
  afterAll(async () => {
    for (const each of started) each.kill("SIGKILL");
    echo.close();
    await world.close();
  });
  const ports = (): unknown[] => world.events.filter(({ event }) => event === "port").map(({ code, addr, bytes_sent: sent, bytes_received: received, user }) => ({ code, addr, sent, received, user }));

  it("connections to elsewhere (-L, -D), each an event with its bytes", async () => {
    const [local, socks] = [await freePort(), await freePort()];
    ssh("-N", "-L", `${String(local)}:127.0.0.1:${String(target)}`, "-D", `127.0.0.1:${String(socks)}`, "web-1");
    await until(async () => (await ask(local, "hello")) === "hello");
    await until(() => ports().length > 0, ports);
    expect(ports()[0]).toEqual({ code: "T3003I", addr: `127.0.0.1:${String(target)}`, sent: 5, received: 5, user: "ana" });
    const socket = connect(socks, "127.0.0.1");
    socket.write(Buffer.from([5, 1, 0]));
    await once(socket, "data");
    socket.write(Buffer.from([5, 1, 0, 1, 127, 0, 0, 1, target >> 8, target & 0xff]));
    await once(socket, "data");
    socket.end("over socks");
    const [answer] = (await once(socket, "data")) as [Buffer];
    expect(answer.toString()).toBe("over socks");
    expect(world.sessions.list()).toMatchObject([{ kind: "portforward", proto: "ssh", user: "ana", node: "web-1" }]);
  });

  it("connections from the host (-R)", async () => {
    const remote = await freePort();
    ssh("-N", "-R", `${String(remote)}:127.0.0.1:${String(target)}`, "web-1");
    await until(async () => (await ask(remote, "back")) === "back");
    await until(() => ports().length > 0, ports);
    expect(ports()[0]).toEqual({ code: "T3003I", addr: `remote localhost:${String(remote)}`, sent: 4, received: 4, user: "ana" });
  });

  it("and none where no role allows them: refused, with the cause in the log", async () => {
    world.options = { portForwarding: false };
    const [local, remote] = [await freePort(), await freePort()];
    const running = ssh("-N", "-L", `${String(local)}:127.0.0.1:${String(target)}`, "-R", `${String(remote)}:127.0.0.1:${String(target)}`, "web-1");
    await until(() => running.stderr().includes("remote port forwarding failed"), running.stderr);
    expect(await ask(local, "hello")).toBe("");
    await until(() => running.stderr().includes("no role of yours allows port forwarding (port_forwarding) (refusal "), running.stderr);
    expect(ports()).toEqual([
      { code: "T3003E", addr: `remote localhost:${String(remote)}`, sent: undefined, received: undefined, user: "ana" },
      { code: "T3003E", addr: `127.0.0.1:${String(target)}`, sent: undefined, received: undefined, user: "ana" },
    ]);
  });

  it("connections that the host cannot make: told, and an event", async () => {
    const [local, nobody] = [await freePort(), await freePort()];
    const running = ssh("-N", "-L", `${String(local)}:127.0.0.1:${String(nobody)}`, "web-1");
    await until(async () => {
      await ask(local, "hello");
      return ports().length > 0;
    });
    expect(running.stderr()).toContain("open failed: connect failed");
    expect(ports()[0]).toMatchObject({ code: "T3003E", addr: `127.0.0.1:${String(nobody)}` });
  });

  it("the person's agent (-A), where a role allows that alone", async () => {
    const agent = world.spawn("ssh-agent", ["-D", "-a", `${world.directory}/agent`]);
    started.push(agent);
    await until(async () => (await world.run("env", [`SSH_AUTH_SOCK=${world.directory}/agent`, "ssh-add", "-l"])).code === 1);
    const key = `${world.directory}/key`;
    expect((await world.run("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-C", "mine", "-f", key])).code).toBe(0);
    expect((await world.run("env", [`SSH_AUTH_SOCK=${world.directory}/agent`, "ssh-add", "-q", key])).code).toBe(0);
    const list = (): Promise<{ readonly stdout: Buffer; readonly code: number | null }> => world.run("env", [`SSH_AUTH_SOCK=${world.directory}/agent`, "ssh", "-A", "-F", world.config, "web-1", "ssh-add -l"]);
    expect((await list()).stdout.toString()).toContain("mine (ED25519)");
    expect(world.recordings.at(-1)!.told).toContain("m:forward the person's agent is forwarded");
    world.options = { forwardAgent: false };
    expect((await list()).stdout.toString()).not.toContain("mine");
  });

  it("no X11, unless a role allows it", async () => {
    const display = (): Promise<{ readonly stdout: Buffer; readonly stderr: string }> => world.run("env", ["DISPLAY=:9", "ssh", "-Y", "-o", "XAuthLocation=/nonexistent", "-F", world.config, "web-1", "echo display=$DISPLAY"]);
    const refused = await display();
    expect(refused.stdout.toString()).toBe("display=\n");
    expect(refused.stderr).toContain("X11 forwarding request failed");
  });

  it("keeps the order of answers, its own among them", async () => {
    world.options = { portForwarding: false };
    const [local] = [await freePort()];
    // ssh asks for all of them at once, and takes each answer for that to the first it waits for.
    const running = ssh("-N", "-R", `${String(local)}:127.0.0.1:1`, "-R", `${String(local + 1)}:127.0.0.1:1`, "-o", "ServerAliveInterval=1", "web-1");
    await until(() => running.stderr().split("remote port forwarding failed").length === 3, running.stderr);
    await new Promise((resolve) => setTimeout(resolve, 2500));
    running.kill("SIGTERM");
    expect((await running.done).stderr).not.toContain("Timeout");
  });
});
