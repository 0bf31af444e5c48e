import { createHash } from "node:crypto";
import { readFile, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { RecordingItem, SessionItem } from "@gatehouse/core/api";
import { requireTool } from "../../packages/core/src/testing/index.ts";
import { run } from "../support/process.ts";
import { recordingOf } from "../support/recordings.ts";
import { hostLogin, startHost, type Host } from "../support/ssh-hosts.ts";
import { runInTerminal, type TerminalProgram } from "../support/terminal.ts";
import { createWorld, tshPath, type Person, type World } from "../support/world.ts";

type Event = Readonly<Record<string, unknown>>;

const role = (name: string, options: string, allow: string): string => `kind: role\nversion: v3\nmetadata: {name: ${name}}\nspec:\n  options: {${options}}\n  allow: {${allow}}\n`;
const hosts = `logins: ["${hostLogin}"], node_labels: {"*": "*"}`;

const available = ["sshd", "ssh", "scp"].every((tool) => requireTool(tool, "Debian: openssh-server openssh-client, and /usr/sbin on PATH"));

describe.skipIf(!available)("recordings of sessions on hosts", () => {
  let world: World;
  let host: Host;
  let ana: Person;
  let bo: Person;
  beforeAll(async () => {
    world = await createWorld({
      connector: {
        teams_to_logins: [],
        teams_to_roles: [
          { organization: "octocats", team: "developers", roles: ["dev"] },
          { organization: "octocats", team: "viewers", roles: ["pair"] },
          { organization: "octocats", team: "admins", roles: ["admin"] },
        ],
      },
    });
    const pair = `rules: [{resources: [session], verbs: [list, read, connect], where: 'equals(session.proto, "ssh") && equals(session.node, "web-1")'}]`;
    for (const text of [role("dev", "record_stdin: true", hosts), role("pair", "", pair)]) expect(await world.tctl(["create", "-f", "-"], { input: text })).toMatchObject({ code: 0 });
    host = await startHost(world, "web-1", { labels: { env: "prod" } });
    [ana, bo] = [await world.person("ana"), await world.person("bo")];
    await ana.logIn();
    await bo.logIn();
    const config = await ana.tsh(["config"]);
    await writeFile(join(ana.home, "ssh_config"), config.stdout);
  });
  afterAll(async () => {
    await host.sshd.stop();
    await world.close();
  });

  const terminal = (args: readonly string[], person: Person): TerminalProgram => runInTerminal(process.execPath, args, { cols: 100, rows: 30, env: { ...person.env, TERM: "xterm" } });
  const target = `${hostLogin}@web-1`;
  async function shell(): Promise<TerminalProgram> {
    const open = terminal([tshPath, "ssh", target], ana);
    await expect.poll(() => open.output()).toMatch(/[#$] /);
    return open;
  }
  const says = (open: TerminalProgram, text: string | RegExp): Promise<void> => expect.poll(() => open.output()).toMatch(text);
  const live = async (): Promise<SessionItem[]> => JSON.parse((await world.tctl(["sessions", "ls", "--format=json"])).stdout) as SessionItem[];
  /** The only one: of sessions that ended before, the gateway may have one a moment longer. */
  async function only(): Promise<SessionItem> {
    await expect.poll(async () => (await live()).length).toBe(1);
    return (await live())[0]!;
  }
  const recorded = async (...flags: string[]): Promise<RecordingItem[]> => JSON.parse((await ana.tsh(["recordings", "ls", "--format=json", ...flags])).stdout) as RecordingItem[];
  /** Events of one session, once it has ended. */
  async function eventsOf(sid: string): Promise<readonly Event[]> {
    const all = async (): Promise<readonly Event[]> => (await world.events()).filter((event) => event["sid"] === sid);
    await expect.poll(async () => (await all()).map(({ event }) => event)).toContain("session.end");
    return all();
  }
  const named = (events: readonly Event[], name: string): readonly Event[] => events.filter(({ event }) => event === name);
  /** The latest session that began, of this kind. */
  async function latest(kind: string): Promise<string> {
    const started = async (): Promise<Event | undefined> => (await world.events()).findLast(({ event, action }) => event === "session.start" && action === kind);
    await expect.poll(started).toBeDefined();
    return String((await started())?.["sid"]);
  }

  it("a shell: listed while it runs, played when it has ended", async () => {
    const open = await shell();
    const session = await only();
    expect(session).toMatchObject({ proto: "ssh", kind: "shell", user: "ana", login: hostLogin, node: "web-1", node_id: host.name, tty: true, participants: ["ana"] });
    expect((await world.tctl(["sessions", "ls"])).stdout).toMatch(new RegExp(`ana +shell ${target}`));
    open.pty.resize(120, 40);
    open.pty.write("echo $((6*7))-is-it\r");
    await says(open, /42-is-it/);
    open.pty.write("exit 3\r");
    expect(await open.exited).toBe(3);
    const { sid } = session;
    const events = await eventsOf(sid);
    const fields = { proto: "ssh", user: "ana", login: hostLogin, server_id: host.name, server_hostname: "web-1", server_addr: `127.0.0.1:${String(host.sshd.port)}`, server_labels: { env: "prod" } };
    expect(named(events, "session.start")).toMatchObject([{ ...fields, action: "shell", size: "100:30", recorded: true }]);
    expect(named(events, "resize").at(-1)).toMatchObject({ ...fields, size: "120:40" });
    const [end] = named(events, "session.end");
    expect(end).toMatchObject({ ...fields, exit_code: 3, recording: { complete: true } });
    const recording = await recordingOf(world.dataDir, end!);
    expect(recording.header).toMatchObject({ width: 100, height: 30, title: `shell ${target}`, env: { TERM: "xterm" } });
    expect(recording.stdout.toString()).toContain("42-is-it");
    expect(recording.stdin.toString()).toContain("exit 3");
    expect(recording.sizes).toContainEqual({ columns: 120, rows: 40 });
    expect(await recorded("--node=web-1", "--kind=shell", `--login=${hostLogin}`)).toMatchObject([{ sid, node: "web-1", exit_code: 3, complete: true }]);
    expect(await recorded("--node=other")).toEqual([]);
    expect((await ana.tsh(["play", sid, "--format=text"])).stdout).toContain("42-is-it");
    expect((await bo.tsh(["play", sid.slice(0, 8), "--format=text"])).code).toBe(0);
  });

  it("a command, with its exit code and both outputs", async () => {
    const ran = await ana.tsh(["ssh", target, "echo out; echo err >&2; exit 42"]);
    expect(ran).toMatchObject({ code: 42, stdout: "out\n" });
    expect(ran.stderr).toContain("err\n");
    const events = await eventsOf(await latest("exec"));
    expect(named(events, "exec")).toMatchObject([{ code: "T3002E", command: "echo out; echo err >&2; exit 42", exitCode: "42", login: hostLogin }]);
    const recording = await recordingOf(world.dataDir, named(events, "session.end")[0]!);
    expect([recording.stdout.toString(), recording.stderr.toString(), recording.end?.exitCode]).toEqual(["out\n", "err\n", 42]);
  });

  it.each(["sftp", "scp"])("files by %s, with size and digest, and not what is in them", async (how) => {
    const content = "the content of a file\n".repeat(5000);
    const [up, remote, down] = ["up", "remote", "down"].map((name) => join(world.folder, `${how}-${name}`)) as [string, string, string];
    await writeFile(up, content);
    const ssh = ["-F", join(ana.home, "ssh_config"), ...(how === "scp" ? ["-O"] : [])];
    const at = `${hostLogin}@web-1.example`;
    for (const [from, to] of [[up, `${at}:${remote}`], [`${at}:${remote}`, down]] as const) expect(await run("scp", [...ssh, from, to], { env: ana.env })).toMatchObject({ code: 0 });
    const digest = createHash("sha256").update(content).digest("hex");
    const all = async (): Promise<readonly Event[]> => named(await world.events(), how).filter(({ path, action }) => path === remote && action !== "setstat");
    await expect.poll(async () => (await all()).map(({ action, len, sha256, success }) => ({ action, len, sha256, success }))).toEqual([
      { action: "upload", len: content.length, sha256: digest, success: true },
      { action: "download", len: content.length, sha256: digest, success: true },
    ]);
    const sid = String((await all())[0]?.["sid"]);
    const recording = await recordingOf(world.dataDir, named(await eventsOf(sid), "session.end")[0]!);
    expect(recording.header.gatehouse.kind).toBe(how);
    expect(recording.markers.map(({ text }) => text).join("\n")).toContain(remote);
    expect(Buffer.concat([recording.stdout, recording.stderr, recording.stdin]).includes("content of a file")).toBe(false);
    expect((await ana.tsh(["play", sid, "--format=text"])).stdout).toContain(digest);
  });

  it("somebody joins and types: all who take part read it, and the recording names them", async () => {
    const open = await shell();
    const { sid } = await only();
    open.pty.write("echo before-they-came\r");
    await says(open, /before-they-came\r\n/);
    const watching = terminal([tshPath, "join", sid.slice(0, 8)], bo);
    await says(watching, /before-they-came/);
    await says(open, /bo joined and watches/);
    const typing = terminal([tshPath, "join", sid, "--mode=peer"], bo);
    await says(open, /bo joined and can type/);
    await says(watching, /bo joined and can type/);
    await says(typing, /before-they-came/);
    typing.pty.write("echo from-$((40+2))-bo\r");
    for (const one of [open, watching, typing]) await says(one, /from-42-bo/);
    watching.pty.write("echo not-$((1+1))-this\r");
    // Ctrl-]
    typing.pty.write("\x1d");
    expect(await typing.exited).toBe(0);
    await says(open, /bo left/);
    open.pty.write("exit\r");
    await open.exited;
    expect(await watching.exited).toBe(0);
    expect(watching.output()).toContain("the command ended with exit code 0");
    const events = await eventsOf(sid);
    expect(named(events, "session.join")).toMatchObject([{ user: "bo", session_user: "ana", mode: "observer" }, { user: "bo", mode: "peer", login: hostLogin, server_id: host.name }]);
    expect(named(events, "session.leave")).toHaveLength(2);
    const [end] = named(events, "session.end");
    expect(end).toMatchObject({ participants: ["ana", "bo"] });
    const recording = await recordingOf(world.dataDir, end!);
    expect(recording.markers.map(({ text }) => text)).toEqual(expect.arrayContaining(["bo joined and watches", "bo joined and can type", "bo left"]));
    expect(recording.stdout.toString()).not.toContain("not-2-this");
    expect(recording.stdin.toString()).toContain("from-$((40+2))-bo");
    expect(await recorded(`--kind=shell`, "--limit=1")).toMatchObject([{ sid, participants: ["ana", "bo"] }]);
  });

  it("who loses the right to take part is out, and the session goes on", async () => {
    const open = await shell();
    const { sid } = await only();
    const typing = terminal([tshPath, "join", sid, "--mode=peer"], bo);
    await says(open, /bo joined and can type/);
    expect(await world.tctl(["create", "-f", "-"], { input: role("pair", "", "logins: []") })).toMatchObject({ code: 0 });
    expect(await typing.exited).not.toBe(0);
    await says(open, /bo left/);
    expect(await bo.tsh(["join", sid])).toMatchObject({ code: expect.not.stringContaining("0") as number });
    open.pty.write("exit\r");
    expect(await open.exited).toBe(0);
  });

  it("an administrator ends one, and its person reads why", async () => {
    const open = await shell();
    const { sid } = await only();
    const cy = await world.person("cy");
    await cy.logIn();
    expect(await cy.tctl([`--proxy=${world.proxy}`, "sessions", "kill", sid, "--message=go home"])).toMatchObject({ code: 0 });
    expect(await open.exited).not.toBe(0);
    expect(open.output()).toContain("the session was ended by cy: go home");
    expect(named(await eventsOf(sid), "session.end")).toMatchObject([{ reason: expect.stringContaining("go home") as string }]);
  });

  it("of a gateway that was killed is closed at its next start, and the log still proves everything", async () => {
    const open = await shell();
    const { sid } = await only();
    open.pty.write("echo evidence-$((6*7))\r");
    await says(open, /evidence-42/);
    const [recording] = (await readdir(join(world.dataDir, "log"), { recursive: true })).filter((name) => name.endsWith(`${sid}.live`));
    await expect.poll(() => readFile(join(world.dataDir, "log", recording!), "latin1")).toContain("evidence-42");
    await world.restart("SIGKILL");
    expect(await open.exited).not.toBe(0);
    const [end] = named(await eventsOf(sid), "session.end");
    expect(end).toMatchObject({ interrupted: true, proto: "ssh", login: hostLogin, server_hostname: "web-1", recording: { bytes: expect.any(Number) as number } });
    expect((await recordingOf(world.dataDir, end!)).stdout.toString()).toContain("evidence-42");
    expect(await recorded("--limit=1", "--kind=shell")).toMatchObject([{ sid, interrupted: true }]);
    const verified = await world.tctl(["audit", "verify", "--format=json"]);
    expect(verified.code, verified.stdout).toBe(0);
    expect((JSON.parse(verified.stdout) as { readonly servers: readonly { readonly recordings: number }[] }).servers[0]?.recordings).toBeGreaterThan(0);
  });
});
