import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { clientHome } from "../lean/index.ts";
import { AgentLocked, AgentPlaceRefused, agentPlace, askAgent, checkAgentDirectory, checkAgentSocket, formatAgentAnswer, formatAgentRefusal, makeAgentDirectory } from "./index.ts";

let folder: string;
let directory: string;
let control: string;
const servers: Server[] = [];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "gatehouse-place-"));
  directory = join(folder, "run");
  control = join(directory, "agent.sock");
  await mkdir(directory, { mode: 0o700 });
});
afterEach(async () => {
  for (const server of servers.splice(0)) server.close();
  await rm(folder, { recursive: true, force: true });
});

/** Serves a socket whose clients are treated so. */
async function serve(onClient: (socket: Socket) => void): Promise<void> {
  const server = createServer((socket) => {
    socket.on("error", () => undefined);
    onClient(socket);
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(control, resolve));
  await chmod(control, 0o600);
}

const ask = (time?: number): Promise<unknown> => askAgent({ directory, control }, "hello", {}, time);
const identity = { version: "1.0.0", build: "b", pid: 1, started: 2 };

describe("the place of the agent", () => {
  it("is the runtime directory where it is this user's, else in the home", async () => {
    const home = clientHome({ HOME: folder });
    const place = agentPlace({ XDG_RUNTIME_DIR: folder }, home);
    expect(place.directory).toMatch(new RegExp(`^${folder}/gatehouse-[0-9a-f]{8}$`));
    expect(agentPlace({ XDG_RUNTIME_DIR: folder }, clientHome({ HOME: join(folder, "else") })).directory).not.toBe(place.directory);
    for (const elsewhere of [undefined, "", "relative", join(folder, "absent")]) expect(agentPlace({ XDG_RUNTIME_DIR: elsewhere }, home).directory).toBe(join(home.path, "run"));
    const long = clientHome({ HOME: join(folder, "x".repeat(100)) });
    expect(agentPlace({}, long).directory).toMatch(new RegExp(`^/tmp/gatehouse-${process.geteuid?.()}-[0-9a-f]{8}$`));
    expect(agentPlace({ XDG_RUNTIME_DIR: folder }, long).directory).toMatch(new RegExp(`^${folder}/gatehouse-`));
    if (process.getuid?.() !== 0) expect(agentPlace({ XDG_RUNTIME_DIR: "/" }, home).directory).toBe(join(home.path, "run"));
  });

  it("is made for its owner alone, and never where others may put another in its place", async () => {
    const made = join(folder, "a", "b");
    await makeAgentDirectory(made);
    expect(await checkAgentDirectory(made)).toBe(true);
    await expect(makeAgentDirectory("/dev/null/x/run")).rejects.toThrow(/run cannot be looked at \(ENOTDIR\)/);
    await chmod(folder, 0o777);
    await expect(makeAgentDirectory(join(folder, "c"))).rejects.toThrow(/can be written by others \(mode 777\)/);
  });

  it.runIf(process.platform === "linux")("is refused with the reason where it cannot be made", async () => {
    await expect(makeAgentDirectory("/sys/kernel/gatehouse/run")).rejects.toThrow(/^the local agent is not used: \/sys\/kernel\/gatehouse\/run cannot be made \(E[A-Z]+\)$/);
  });

  it("is refused with the reason: a link, another type, another's, open to others", async () => {
    expect(await checkAgentSocket(directory, control)).toBe(false);
    expect(await checkAgentSocket(join(folder, "absent"), control)).toBe(false);
    await writeFile(control, "");
    await expect(checkAgentSocket(directory, control)).rejects.toThrow(/agent\.sock is no socket/);
    await rm(control);
    await symlink("/dev/null", control);
    await expect(checkAgentSocket(directory, control)).rejects.toThrow(/agent\.sock is a link/);
    await rm(control);
    await serve(() => undefined);
    expect(await checkAgentSocket(directory, control)).toBe(true);
    await chmod(control, 0o660);
    await expect(checkAgentSocket(directory, control)).rejects.toThrow(/agent\.sock is open to others \(mode 660\)/);
    await chmod(directory, 0o750);
    await expect(checkAgentSocket(directory, control)).rejects.toThrow(/run is open to others \(mode 750\)/);
    await symlink(directory, join(folder, "link"));
    await expect(checkAgentDirectory(join(folder, "link"))).rejects.toThrow(/link is a link/);
    await expect(checkAgentDirectory("/dev/null")).rejects.toThrow(AgentPlaceRefused);
    await expect(checkAgentDirectory("/dev/null/x")).rejects.toThrow(/cannot be looked at \(ENOTDIR\)/);
  });

  it.runIf(process.getuid?.() === 0)("is refused where it is another user's", async () => {
    const { chown } = await import("node:fs/promises");
    await chown(directory, 65_534, 65_534);
    await expect(checkAgentDirectory(directory)).rejects.toThrow(/belongs to another user \(uid 65534\)/);
  });
});

describe("asking the agent", () => {
  it("is answered with one line", async () => {
    await serve((socket) => socket.once("data", () => socket.end(`${formatAgentAnswer(identity)}{"v":1}\n`)));
    expect(await ask()).toEqual(identity);
  });

  it("puts together what comes in pieces", async () => {
    const text = formatAgentAnswer({ ...identity, version: "ä€" });
    await serve((socket) => {
      const bytes = Buffer.from(text);
      for (let at = 0; at < bytes.length; at++) socket.write(bytes.subarray(at, at + 1));
    });
    expect(await ask()).toEqual({ ...identity, version: "ä€" });
  });

  it("finds nobody: no socket, one that a crash left, one who goes without a word, one of another protocol", async () => {
    expect(await ask()).toBeUndefined();
    await serve((socket) => socket.destroy());
    expect(await ask()).toBeUndefined();
    await rm(control);
    await serve((socket) => socket.end('{"v":2,"fine":true}\n'));
    expect(await ask()).toBeUndefined();
    await rm(control);
    const { execFileSync } = await import("node:child_process");
    const leave = (): Buffer => execFileSync(process.execPath, ["-e", `process.umask(0o177); require("net").createServer().listen(${JSON.stringify(control)}, () => process.kill(process.pid, "SIGKILL"))`], { stdio: "pipe" });
    expect(leave).toThrow(/SIGKILL|Command failed/);
    expect(await checkAgentSocket(directory, control)).toBe(true);
    expect(await ask()).toBeUndefined();
  });

  it("tells who is silent, who talks nonsense and who never ends, without quoting them", async () => {
    await serve(() => undefined);
    await expect(ask(50)).rejects.toMatchObject({ code: "internal", message: "the local agent did not answer within 0.05 s" });
    await rm(control);
    await serve((socket) => socket.end("s3cret\n"));
    await expect(ask()).rejects.toMatchObject({ code: "internal", message: "the local agent's answer cannot be read" });
    await rm(control);
    await serve((socket) => socket.end(Buffer.alloc(2 * 1024 * 1024, 0x61)));
    await expect(ask()).rejects.toMatchObject({ code: "limit_exceeded" });
  });

  it("throws the refusal that comes", async () => {
    await serve((socket) => socket.end(formatAgentRefusal(new AgentLocked())));
    await expect(ask()).rejects.toThrow(AgentLocked);
  });
});
