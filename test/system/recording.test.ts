import { createHash, randomBytes } from "node:crypto";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { openRecordings } from "@gatehouse/core/audit";
import { nullLogger, systemClock } from "@gatehouse/core/base";
import { parse, stringify } from "yaml";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { howToGetACluster, kubectlBinaries, realCluster } from "../support/cluster.ts";
import { startDelayRelay } from "../support/delay-relay.ts";
import { start } from "../support/process.ts";
import { playRecording, recordingOf } from "../support/recordings.ts";
import { runInTerminal } from "../support/terminal.ts";
import { createWorld, tctlPath, type Person, type World } from "../support/world.ts";

const cluster = realCluster();
if (!cluster) console.warn(howToGetACluster);
type Event = Readonly<Record<string, unknown>>;
const sha256 = (bytes: Buffer): string => createHash("sha256").update(bytes).digest("hex");

describe.skipIf(!cluster)("sessions are recorded", () => {
  let world: World;
  let ana: Person;
  let bo: Person;
  let seen = 0;

  beforeAll(async () => {
    world = await createWorld({ kubeconfig: cluster!.gatewayKubeconfig });
    ana = await world.person("ana");
    bo = await world.person("bo");
    await Promise.all([ana.logIn(), bo.logIn()]);
  });
  afterAll(() => world.close());

  /** Events since the last call, once there are so many ends of sessions among them. */
  async function ended(count: number): Promise<Event[]> {
    for (let tries = 0; ; tries++) {
      const events = await world.events();
      const fresh = events.slice(seen);
      if (fresh.filter((event) => event["event"] === "session.end").length >= count) {
        seen = events.length;
        return fresh;
      }
      if (tries > 600) throw new Error(`no ${String(count)} session.end in ${JSON.stringify(fresh)}`);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
  async function lastSession(): Promise<{ readonly events: readonly Event[]; readonly end: Event; readonly played: Awaited<ReturnType<typeof recordingOf>> }> {
    const events = await ended(1);
    const ends = events.filter((event) => event["event"] === "session.end");
    expect(ends).toHaveLength(1);
    const [end] = ends as [Event];
    return { events, end, played: await recordingOf(world.dataDir, end) };
  }

  it("a command without a terminal, with both outputs, its exit code, and a digest in the log", async () => {
    const ran = await ana.kubectl(["exec", "shell", "--", "sh", "-c", "echo out; echo err >&2; exit 3"]);
    const { events, end, played } = await lastSession();
    expect(played.stdout.toString()).toBe(ran.stdout);
    expect(played.stderr.toString()).toBe("err\n");
    expect(played.end).toMatchObject({ exitCode: 3 });
    expect(played.header.gatehouse).toMatchObject({ user: "ana", cluster: "example", namespace: "default", pod: "shell", command: ["sh", "-c", "echo out; echo err >&2; exit 3"], tty: false, sid: end["sid"], groups: expect.arrayContaining(["developers"]) as string[] });
    expect(end).toMatchObject({ code: "T2004I", exit_code: 3, interrupted: false, user: "ana", kubernetes_pod: "shell", recording: { sha256: played.summary.digest, bytes: played.summary.bytes, complete: true } });
    const started = events.filter((event) => event["event"] === "session.start");
    expect(started).toMatchObject([{ code: "T2000I", sid: end["sid"], kubernetes_namespace: "default", recorded: true }]);
    expect(events.filter((event) => event["event"] === "exec")).toMatchObject([{ sid: end["sid"] }]);
  });

  it("exec -i, whose input is recorded only where a role says so", async () => {
    const script = "echo one; read word; echo got $word; exit 5\nsecond\n";
    const ran = await ana.kubectl(["exec", "-i", "shell", "--", "sh"], { input: script });
    const { played } = await lastSession();
    expect([ran.code, played.stdout.toString(), played.end?.exitCode, played.stdin.length]).toEqual([5, ran.stdout, 5, 0]);
    const role = await world.tctl(["get", "roles/access"]);
    expect((await world.tctl(["create", "-f", "-"], { input: role.stdout.replace(/record_stdin: false|options:\n/, (found) => (found === "options:\n" ? "options:\n    record_stdin: true\n" : "record_stdin: true")) })).code).toBe(0);
    const again = await ana.kubectl(["exec", "-i", "shell", "--", "sh"], { input: script });
    expect(again.code).toBe(5);
    expect((await lastSession()).played.stdin.toString()).toBe(script);
    expect((await world.tctl(["create", "-f", "-"], { input: role.stdout })).code).toBe(0);
  });

  it("attach, to its interruption", async () => {
    const attached = start("kubectl", ["attach", "shell"], { env: ana.env });
    await attached.waitFor(/tick \d+\n(?:.*\n)*tick \d+\n/, "stdout");
    await attached.stop("SIGINT");
    const { played, events } = await lastSession();
    expect(played.header.gatehouse).toMatchObject({ kind: "attach", command: [] });
    expect(played.stdout.toString()).toContain(attached.stdout().split("\n")[0]!);
    expect(events.some((event) => event["event"] === "session.start" && event["action"] === "attach")).toBe(true);
  });

  it("exec -ti: the screen byte for byte, and its sizes", async () => {
    const { pty, bytes, until, sizeIs, exited } = runInTerminal("kubectl", ["exec", "-ti", "shell", "--", "sh"], { env: ana.env });
    await until(/[#$] /);
    await sizeIs("33 91");
    pty.resize(120, 40);
    await sizeIs("40 120");
    pty.write("printf '\\033[31mr\\303\\266t\\033[0m\\n'\r");
    await until("\u001b[31mröt\u001b[0m");
    pty.write("exit 7\r");
    expect(await exited).toBe(7);
    const { played, events } = await lastSession();
    // kubectl itself says things before and after.
    expect(bytes().toString("latin1")).toContain(played.stdout.toString("latin1"));
    expect(played.stdout.toString()).toContain("\u001b[31mröt\u001b[0m");
    expect(played.sizes.map(({ columns, rows }) => `${String(columns)}x${String(rows)}`)).toEqual(expect.arrayContaining(["91x33", "120x40"]));
    expect(played.end).toMatchObject({ exitCode: 7 });
    expect(events.filter((event) => event["event"] === "resize").map((event) => event["size"])).toEqual(expect.arrayContaining(["120:40"]));
  });

  it("cp both ways", async () => {
    const original = randomBytes(2 * 1024 * 1024);
    const file = join(world.folder, "recorded.bin");
    await writeFile(file, original);
    expect((await ana.kubectl(["cp", file, "shell:/tmp/recorded.bin"])).code).toBe(0);
    expect((await ana.kubectl(["cp", "shell:/tmp/recorded.bin", join(world.folder, "back.bin")])).code).toBe(0);
    const events = await ended(3);
    const sessions = await Promise.all(events.filter((event) => event["event"] === "session.end").map((end) => recordingOf(world.dataDir, end)));
    const download = sessions.find(({ stdout }) => stdout.length > original.length);
    expect(sessions.map(({ header }) => header.gatehouse.command.join(" "))).toEqual(expect.arrayContaining([expect.stringMatching(/^tar -?x/), expect.stringContaining("tar cf")]));
    expect(download?.stdout.includes(original)).toBe(true);
  });

  it("a hundred megabytes of random bytes and two million lines, over a line that is slow to answer", async () => {
    const config = parse(await readFile(cluster!.gatewayKubeconfig, "utf8")) as { clusters: { cluster: Record<string, string> }[] };
    const target = config.clusters[0]!.cluster;
    const server = new URL(target["server"]!);
    const relay = await startDelayRelay(server.hostname, Number(server.port), 50);
    target["server"] = `https://127.0.0.1:${String(relay.port)}`;
    target["tls-server-name"] ??= server.hostname;
    const kubeconfig = join(world.folder, "slow.kubeconfig");
    await writeFile(kubeconfig, stringify(config));
    const slow = await createWorld({ kubeconfig });
    try {
      const person = await slow.person("ana");
      await person.logIn();
      let ended = 0;
      for (const [script, size] of [["head -c 100000000 /dev/urandom", 100_000_000], ["seq 1 2000000", 14_888_896]] as const) {
        const child = spawn("kubectl", ["exec", "shell", "--", "sh", "-c", script], { env: person.env, stdio: ["ignore", "pipe", "inherit"] });
        const hash = createHash("sha256");
        let length = 0;
        child.stdout.on("data", (piece: Buffer) => {
          hash.update(piece);
          length += piece.length;
        });
        const [code] = (await once(child, "close")) as [number];
        expect([script, code, length]).toEqual([script, 0, size]);
        // The one before has an end too, and this one's may come a moment after its client's.
        ended += 1;
        const ends = async () => (await slow.events()).filter((event) => event["event"] === "session.end");
        await expect.poll(async () => (await ends()).length).toBe(ended);
        const end = (await ends()).at(-1)!;
        expect(end).toMatchObject({ exit_code: 0 });
        const played = await recordingOf(slow.dataDir, end);
        expect(played.header.gatehouse.command).toContain(script);
        expect([played.stdout.length, sha256(played.stdout)]).toEqual([size, hash.digest("hex")]);
      }
    } finally {
      await slow.close();
      relay.close();
    }
  }, 400_000);

  it("two attempts of every kubectl are one session, or one denial with what was asked for", async () => {
    const role = (await world.tctl(["get", "roles/access"])).stdout;
    const limit = async (max: number): Promise<void> => {
      const changed = role.replace(/^ *max_sessions:.*\n/m, "").replace(/options:\n/, `options:\n    max_sessions: ${String(max)}\n`);
      expect((await world.tctl(["create", "-f", "-"], { input: changed })).code).toBe(0);
    };
    for (const binary of await kubectlBinaries()) {
      seen = (await world.events()).length;
      expect((await ana.kubectl(["exec", "shell", "--", "true"], { binary })).code).toBe(0);
      const events = await ended(1);
      const of = (...names: string[]): Event[] => events.filter((event) => names.includes(String(event["event"])));
      expect([binary, of("session.start").length, of("session.end").length, of("kube.denied").length, of("exec")]).toEqual([binary, 1, 1, 0, [expect.objectContaining({ code: "T3002I" })]]);

      seen = (await world.events()).length;
      expect((await bo.kubectl(["exec", "shell", "--", "touch", "/x"], { binary })).stderr).toContain("forbidden");
      const refused = (await world.events()).slice(seen).filter((event) => event["event"] === "exec" || event["event"] === "kube.denied");
      expect([binary, refused]).toEqual([binary, [expect.objectContaining({ code: "T3002E", command: "touch /x", response_code: 403, kubernetes_pod: "shell" })]]);

      await limit(1);
      seen = (await world.events()).length;
      const open = start("kubectl", ["exec", "shell", "--", "sh", "-c", "echo ready; sleep 60"], { env: ana.env });
      await open.waitFor(/ready/, "stdout");
      const denied = await ana.kubectl(["exec", "shell", "--", "rm", "-rf", "/data"], { binary });
      expect([binary, denied.code]).not.toEqual([binary, 0]);
      // A second attempt would be in the log before this command's answer.
      const denials = (await world.events()).slice(seen).filter((event) => event["event"] === "kube.denied");
      expect([binary, denials]).toEqual([
        binary,
        [expect.objectContaining({ kubernetes_namespace: "default", kubernetes_pod: "shell", command: "rm -rf /data", user: "ana", response_code: 403, reason: expect.stringContaining("max_sessions") as string })],
      ]);
      expect(denied.stderr).toContain(String(denials[0]!["id"]));
      await open.stop("SIGINT");
      await ended(1);
      await limit(0);
    }
    expect((await world.tctl(["create", "-f", "-"], { input: role })).code).toBe(0);
  }, 400_000);

  it("a port-forward leaves what each connection carried", async () => {
    seen = (await world.events()).length;
    const forward = start("kubectl", ["port-forward", "pod/shell", ":8080"], { env: ana.env });
    const [, port] = await forward.waitFor(/Forwarding from 127\.0\.0\.1:(\d+)/, "stdout");
    for (let round = 0; round < 3; round++) expect(await (await fetch(`http://127.0.0.1:${port!}/`, { headers: { connection: "close" } })).text()).toBe("hello\n");
    await forward.stop("SIGINT");
    await expect.poll(async () => (await world.events()).slice(seen).filter((event) => event["event"] === "port" && event["action"] === "connection").length).toBe(3);
    const [opened, first] = (await world.events()).slice(seen).filter((event) => event["event"] === "port");
    expect(first).toMatchObject({ sid: opened!["sid"], addr: "shell:8080", success: true, bytes_received: expect.any(Number) as number, user: "ana" });
    expect(Number(first!["bytes_received"])).toBeGreaterThan(6);
  });

  it("live sessions are listed, watched as they happen, and ended with a message that their person reads", async () => {
    const exec = start("kubectl", ["exec", "-i", "shell", "--", "sh", "-c", "echo ready; cat"], { env: ana.env });
    await exec.waitFor(/ready/, "stdout");
    const listed = JSON.parse((await world.tctl(["sessions", "ls", "--format=json"])).stdout) as { sid: string; user: string; command: string[] }[];
    expect(listed).toEqual([expect.objectContaining({ user: "ana", kind: "exec", namespace: "default", pod: "shell", command: ["sh", "-c", "echo ready; cat"] })]);
    const { sid } = listed[0]!;
    expect((await world.tctl(["sessions", "ls"])).stdout).toMatch(new RegExp(`${sid.slice(0, 8)} +ana +exec example/default/shell.*yes`));
    const watching = start(process.execPath, [tctlPath, "--data-dir", world.dataDir, "sessions", "watch", sid.slice(0, 8)], { env: { ...process.env, NODE_NO_WARNINGS: "1" } });
    await watching.waitFor(/ready/, "stdout");
    exec.child.stdin!.write("typed later\u001b]52;c;aGk=\u0007\n");
    await watching.waitFor(/typed later\n/, "stdout");
    expect(watching.stdout()).not.toContain("\u001b");
    const killed = await world.tctl(["sessions", "kill", sid.slice(0, 8), "--message=use staging"]);
    expect([killed.code, killed.stderr]).toEqual([0, expect.stringContaining("of ana ended")]);
    expect((await exec.ended).code).not.toBe(0);
    expect(exec.stderr()).toContain("use staging");
    expect((await watching.ended).code).toBe(0);
    expect(watching.stderr()).toContain("use staging");
    const { end, events } = await lastSession();
    expect(end).toMatchObject({ sid, reason: expect.stringContaining("use staging") as string });
    expect(events.filter((event) => event["event"] === "session.join" || event["event"] === "session.leave")).toMatchObject([{ sid, user: "local-admin" }, { sid }]);
    await expect.poll(async () => JSON.parse((await world.tctl(["sessions", "ls", "--format=json"])).stdout) as unknown).toEqual([]);
    expect((await world.tctl(["sessions", "kill", sid])).code).toBe(5);
    // Somebody else's sessions are not for everybody.
    const other = start("kubectl", ["exec", "-i", "shell", "--", "sh", "-c", "echo ready; cat"], { env: ana.env });
    await other.waitFor(/ready/, "stdout");
    expect((await bo.tctl(["sessions", "ls", "--format=json", `--proxy=${world.proxy}`])).stdout.trim()).toBe("[]");
    expect((await ana.tctl(["sessions", "ls", "--format=json", `--proxy=${world.proxy}`])).stdout).toContain('"ana"');
    other.child.stdin!.end();
    await other.ended;
    await ended(1);
  });

  it("a person has no more sessions at once than their roles allow", async () => {
    const role = await world.tctl(["get", "roles/access"]);
    const limited = parse(role.stdout) as { spec: { options: Record<string, unknown> } };
    limited.spec.options["max_sessions"] = 1;
    expect((await world.tctl(["create", "-f", "-"], { input: stringify(limited) })).code).toBe(0);
    try {
      const exec = start("kubectl", ["exec", "-i", "shell", "--", "sh", "-c", "echo ready; cat"], { env: ana.env });
      await exec.waitFor(/ready/, "stdout");
      const second = await ana.kubectl(["exec", "shell", "--", "true"]);
      expect(second.stderr).toMatch(/has a session open already.*max_sessions/);
      exec.child.stdin!.end();
      expect((await exec.ended).code).toBe(0);
      expect((await ana.kubectl(["exec", "shell", "--", "true"])).code).toBe(0);
    } finally {
      await world.tctl(["create", "-f", "-"], { input: role.stdout });
    }
  });

  it("is closed at the next start after the gateway was killed in the middle of it", async () => {
    const exec = start("kubectl", ["exec", "shell", "--", "sh", "-c", "i=0; while true; do i=$((i+1)); echo line $i; sleep 0.02; done"], { env: ana.env });
    await exec.waitFor(/line 50\n/, "stdout");
    const lastOf = (text: string): number => Math.max(0, ...[...text.matchAll(/line (\d+)\n/g)].map(([, number]) => Number(number)));
    const shown = lastOf(exec.stdout());
    const sid = String((await world.events()).findLast((event) => event["event"] === "session.start")!["sid"]);
    const [live] = (await readdir(join(world.dataDir, "log"), { recursive: true })).filter((name) => name.endsWith(`${sid}.live`));
    await expect.poll(async () => lastOf(await readFile(join(world.dataDir, "log", live!), "latin1"))).toBeGreaterThanOrEqual(shown);
    seen = (await world.events()).length;
    await world.restart("SIGKILL");
    await exec.ended;
    const { end, played } = await lastSession();
    expect(end).toMatchObject({ interrupted: true, reason: expect.stringContaining("died") as string, recording: { sha256: played.summary.digest } });
    expect(played.end).toMatchObject({ interrupted: true });
    expect(played.summary).toMatchObject({ complete: true, torn: 0 });
    expect(played.stdout.toString()).toMatch(/^line 1\nline 2\n/);
    expect(lastOf(played.stdout.toString())).toBeGreaterThanOrEqual(shown);
    expect(await readdir(join(world.dataDir, "log", String(end["server_id"]), "sessions", "default")).then((names) => names.filter((name) => !name.endsWith(".rec")))).toEqual([]);
    expect((await world.tctl(["audit", "verify"])).stderr).not.toContain(String(end["sid"]));
  });
});

describe("recordings of a process that is killed", () => {
  const program = fileURLToPath(new URL("../dist/recorder.js", import.meta.url));

  it("at 50 random moments: each plays all but the last second, and has an end", async () => {
    const folder = await mkdtemp(join(tmpdir(), "killed-"));
    try {
      for (let round = 0; round < 50; round++) {
        const child = spawn(process.execPath, [program, folder, "4"], { stdio: ["ignore", "pipe", "inherit"] });
        let said = "";
        child.stdout.setEncoding("utf8").on("data", (text: string) => (said += text));
        await once(child.stdout, "data");
        const life = round % 5 === 0 ? 1300 + Math.random() * 500 : Math.random() * 500;
        await new Promise((resolve) => setTimeout(resolve, life));
        const killed = Date.now();
        child.kill("SIGKILL");
        await once(child, "close");
        const events: Event[] = [];
        await openRecordings({ directory: folder, serverId: "gw", clock: systemClock, logger: nullLogger, audit: { emit: (event) => Promise.resolve(void events.push(event)), close: () => Promise.resolve() } }).recovered;
        const promised = new Map<string, number>();
        for (const [, sid, line, at] of said.matchAll(/^(\S+) (\d+) (\d+)$/gm)) if (killed - Number(at) >= 1000) promised.set(sid!, Number(line));
        for (const event of events) {
          const played = await playRecording(join(folder, (event["recording"] as { file: string }).file));
          expect([played.end?.interrupted, played.summary.complete, played.summary.digest]).toEqual([true, true, (event["recording"] as { sha256: string }).sha256]);
          const lines = played.stdout.toString().split("\n");
          lines.slice(0, -1).forEach((line, index) => expect(Number.parseInt(line, 10)).toBe(index + 1));
          expect(lines.length - 1).toBeGreaterThanOrEqual(promised.get(String(event["sid"])) ?? 0);
        }
        expect(new Set(events.map((event) => event["sid"])).size).toBe(events.length);
        for (const sid of promised.keys()) expect(events.some((event) => event["sid"] === sid)).toBe(true);
        const names = await readdir(join(folder, "gw", "sessions", "default"));
        expect(names.filter((name) => name.endsWith(".live"))).toEqual([]);
        for (const name of names) await rm(join(folder, "gw", "sessions", "default", name));
      }
    } finally {
      await rm(folder, { recursive: true });
    }
  }, 400_000);
});
