import { mkdir, readFile, readdir, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { spawn } from "@lydell/node-pty";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { emptyRecordingChain, encodeChunk, encodeRecordingJson, type KubeSession, type RecordingRecord, type RecordingType } from "@gatehouse/core/formats";
import { cleanEnv, createWorld, tshPath, type Person, type World } from "../support/world.ts";
import { run } from "../support/process.ts";

const hour = 3_600_000;
const sidOf = (number: number): string => `6f0e2a1c-0000-4000-8000-${String(number).padStart(12, "0")}`;
const record = (type: RecordingType, at: number, data: string | Buffer): RecordingRecord => ({ type, at, data: Buffer.from(data as string) });
const evil = "\x1b]52;c;aGVsbG8=\x07\x1b[c";

function container(session: Partial<KubeSession> & { readonly sid: string }): Buffer {
  const started = session.started ?? Date.now() - hour;
  const header = encodeRecordingJson({
    version: 2,
    width: 60,
    height: 10,
    timestamp: Math.floor(started / 1000),
    gatehouse: { kind: "exec", user: "ana", roles: ["access"], groups: ["developers"], cluster: "prod", namespace: "payments", pod: "web-5d9c", container: "web", command: ["sh"], tty: true, stdin: true, address: "10.0.0.1:1", server_id: "one", started, ...session },
  });
  return encodeChunk(emptyRecordingChain, [
    record("h", 0, header),
    record("o", 100, `${evil}$ echo \x1b[32mhello\x1b[0m\r\n`),
    record("o", 600, "hello\r\n"),
    record("x", 252_000, encodeRecordingJson({ reason: "exited", exitCode: 0 })),
  ]);
}

describe("recordings", () => {
  let world: World;
  let ana: Person;
  let bo: Person;
  let cy: Person;
  let folder: string;

  beforeAll(async () => {
    world = await createWorld();
    [ana, bo, cy] = await Promise.all(["ana", "bo", "cy"].map((login) => world.person(login))) as [Person, Person, Person];
    for (const person of [ana, bo, cy]) await person.logIn();
    const [serverId] = (await readdir(join(world.dataDir, "log"), { withFileTypes: true })).filter((entry) => entry.isDirectory()).map(({ name }) => name);
    folder = join(world.dataDir, "log", serverId!, "sessions", "default");
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, `${sidOf(1)}.rec`), container({ sid: sidOf(1) }));
    await writeFile(join(folder, `${sidOf(2)}.rec`), container({ sid: sidOf(2), kind: "attach", pod: "db-0", started: Date.now() - 2 * hour }));
    await writeFile(join(folder, `7${sidOf(3).slice(1)}.rec`), container({ sid: `7${sidOf(3).slice(1)}`, user: "bo" }));
    const damaged = container({ sid: `8${sidOf(4).slice(1)}`, user: "cy" });
    damaged.set(Buffer.from("HELLO"), damaged.indexOf("hello\r\n"));
    await writeFile(join(folder, `8${sidOf(4).slice(1)}.rec`), damaged);
  });
  afterAll(() => world.close());

  it("are listed by whoever may see them: their own, or by rule", async () => {
    const mine = await ana.tsh(["recordings", "ls"]);
    expect(mine.stdout).toMatch(/^ID +WHO +WHAT +WHEN +LENGTH\n/);
    expect(mine.stdout).toMatch(/^6f0e2a1c-\S+1 +ana +exec prod\/payments\/web-5d9c sh +\d{4}-\d\d-\d\d \d\d:\d\d +4m12s$/m);
    expect(mine.stdout).not.toContain("bo");
    const all = JSON.parse((await cy.tsh(["recordings", "ls", "--format=json"])).stdout) as { user: string; duration: number; complete: boolean }[];
    expect(new Set(all.map(({ user }) => user))).toEqual(new Set(["ana", "bo", "cy"]));
    const filtered = async (...flags: string[]): Promise<number> => (JSON.parse((await cy.tsh(["recordings", "ls", "--format=json", ...flags])).stdout) as unknown[]).length;
    expect(await filtered("--user=ana")).toBe(2);
    expect(await filtered("--kind=attach")).toBe(1);
    expect(await filtered("--pod=web-5d9c", "--user=bo")).toBe(1);
    expect(await filtered("--cluster=staging")).toBe(0);
    expect(await filtered("--since=90m", "--user=ana")).toBe(1);
    expect(await filtered("--limit=1")).toBe(1);
    expect((await cy.tsh(["recordings", "ls", "--cluster=staging"])).stderr).toBe("no recordings that you may see fit this\n");
  });

  it("are exported, and each reading is in the log", async () => {
    const text = await ana.tsh(["play", sidOf(1)]);
    expect([text.code, text.stdout]).toEqual([0, "$ echo hello\nhello\n[end: exited]\n"]);
    const out = join(ana.home, "session.cast");
    const exported = await cy.tsh(["recordings", "export", sidOf(1), "--format=cast", `--out=${out}`]);
    expect([exported.code, exported.stderr]).toEqual([0, `✔ ${out}\n`]);
    expect((await readFile(out, "utf8")).split("\n")[2]).toBe('[0.6,"o","hello\\r\\n"]');
    expect((await cy.tsh(["play", out])).stdout).toBe("$ echo hello\nhello\n");
    const json = await ana.tsh(["recordings", "export", "6f0e2a1c-0000-4000-8000-000000000001", "--format=json"]);
    expect(json.stdout.trim().split("\n").map((line) => (JSON.parse(line) as { type: string }).type)).toEqual(["header", "stdout", "stdout", "end", "summary"]);
    const plays = (await world.events()).filter(({ event }) => event === "session.play");
    expect(plays).toContainEqual(expect.objectContaining({ code: "G2004I", user: "cy", sid: sidOf(1), session_user: "ana" }));
    expect(plays).toHaveLength(3);
  });

  it("play on a terminal, by keys, and leave it as it was", async () => {
    const pty = spawn(process.execPath, [tshPath, "play", sidOf(1), "--speed=1"], { cols: 80, rows: 12, env: { ...ana.env, TERM: "xterm-256color" }, cwd: tmpdir() });
    let seen = "";
    const waiting = new Set<() => void>();
    pty.onData((data) => {
      seen += data;
      for (const look of waiting) look();
    });
    const ended = new Promise<number>((resolve) => pty.onExit(({ exitCode }) => resolve(exitCode)));
    const see = (pattern: RegExp): Promise<void> =>
      new Promise((resolve) => {
        const look = (): void => {
          if (!pattern.test(seen)) return;
          waiting.delete(look);
          resolve();
        };
        waiting.add(look);
        look();
      });
    await see(/hello.*playing 0:0\d\/4:12 x1 {2}space pause/s);
    pty.write(" ");
    await see(/paused 0:0\d/);
    pty.write("\x1b[C");
    await see(/paused 0:1\d/);
    pty.write("q");
    expect(await ended).toBe(0);
    expect(seen).toContain("\x1b[32mhello\x1b[0m");
    expect(seen).not.toMatch(/\x1b\]52|\x1b\[c/);
    expect(seen.slice(-250)).toMatch(/\x1b\[\?1049l.*\x1b\[\?25h/s);
  });

  it("play what is good of a damaged one, and say loudly where that ends", async () => {
    const sid = `9${sidOf(5).slice(1)}`;
    const bytes = container({ sid, user: "cy" });
    const second = encodeChunk({ hash: bytes.subarray(12, 44), index: 1 }, [record("o", 1, "never")]);
    await writeFile(join(folder, `${sid}.rec`), Buffer.concat([bytes, second]));
    const told = /^! the recording is damaged in chunk 1 at byte \d+: it follows the end; only what comes before is played, up to 4m12s$/m;
    const text = await cy.tsh(["play", sid]);
    expect([text.code, text.stdout]).toEqual([1, "$ echo hello\nhello\n[end: exited]\n[the recording is cut off here]\n"]);
    expect(text.stderr).toMatch(/✖ the recording is damaged in chunk 1 at byte \d+: it follows the end\n/);
    const pty = spawn(process.execPath, [tshPath, "play", sid, "--speed=900"], { cols: 120, rows: 12, env: { ...cy.env, TERM: "xterm-256color" }, cwd: tmpdir() });
    let seen = "";
    pty.onData((data) => (seen += data));
    expect(await new Promise<number>((resolve) => pty.onExit(({ exitCode }) => resolve(exitCode)))).toBe(1);
    expect(seen.replaceAll(/\x1b\[[\d;?]*[a-zA-Z]/g, "").replaceAll("\r\n", "\n")).toMatch(told);
    expect(seen).not.toContain("never");
    expect(seen.slice(seen.lastIndexOf("\x1b[?25h"))).toContain("✖");
  });

  it("leave the terminal as it was when it is hung up", async () => {
    const pty = spawn(process.execPath, [tshPath, "play", sidOf(1)], { cols: 80, rows: 12, env: { ...ana.env, TERM: "xterm-256color" }, cwd: tmpdir() });
    let seen = "";
    const playing = new Promise<void>((resolve) => pty.onData((data) => ((seen += data).includes("playing") ? resolve() : undefined)));
    const ended = new Promise<number | undefined>((resolve) => pty.onExit(({ signal }) => resolve(signal)));
    await playing;
    pty.kill("SIGHUP");
    expect(await ended).toBe(1);
    expect(seen.slice(-150)).toMatch(/\x1b\[\?1049l.*\x1b\[\?25h/s);
  });

  describe("say what is wrong", () => {
    const cases: [string, () => Person, string[], number, RegExp][] = [
      ["an id that there is not", () => ana, ["play", sidOf(99)], 5, /there is no such recording/],
      ["a beginning that none has", () => ana, ["play", "ffff"], 5, /no recording begins with ffff/],
      ["a beginning that several have", () => ana, ["recordings", "export", "6f0e"], 2, /2 recordings begin with 6f0e[^]*0002/],
      ["another's session", () => bo, ["play", sidOf(1)], 4, /no role allows it[^]*event \w+/],
      ["a damaged recording", () => cy, ["play", `8${sidOf(4).slice(1)}`], 1, /damaged in chunk 0 at byte 0/],
      ["a damaged recording, exported", () => cy, ["recordings", "export", `8${sidOf(4).slice(1)}`], 1, /damaged in chunk 0 at byte 0/],
      ["a file that there is not", () => ana, ["play", "./nothing.rec"], 5, /does not exist/],
      ["a time that is none", () => ana, ["recordings", "ls", "--since=yesterday"], 2, /--since: "yesterday" is no length of time/],
      ["a speed that is none", () => ana, ["play", sidOf(1), "--speed=fast"], 2, /no factor/],
      ["a kind that is none", () => ana, ["recordings", "ls", "--kind=exce"], 2, /exec/],
    ];
    it.each(cases)("%s", async (_name, person, args, code, message) => {
      const outcome = await person().tsh(args);
      expect([outcome.code, outcome.stdout]).toEqual([code, ""]);
      expect(outcome.stderr).toMatch(message);
    });

    it("nobody logged in, and no gateway", async () => {
      const home = join(world.folder, "nobody");
      await mkdir(home, { recursive: true });
      const nobody = await run(process.execPath, [tshPath, "recordings", "ls"], { env: cleanEnv({ HOME: home }) });
      expect([nobody.code, nobody.stderr]).toEqual([3, expect.stringContaining("not logged in")]);
      await world.gateway.stop();
      const gone = await ana.tsh(["recordings", "ls"]);
      expect([gone.code, gone.stderr]).toEqual([7, expect.stringContaining("cannot reach the gateway")]);
    });
  });
});
