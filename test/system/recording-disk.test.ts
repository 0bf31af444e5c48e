import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { howToGetACluster, realCluster } from "../support/cluster.ts";
import { createWorld, type Person, type World } from "../support/world.ts";

const command = promisify(execFile);
const mount = (folder: string, options: string) => command("mount", ["-t", "tmpfs", "-o", options, "tmpfs", folder]);

/** Whether this process may mount a disk of its own. */
async function mayMount(): Promise<boolean> {
  const folder = await mkdtemp(join(tmpdir(), "gatehouse-mount-"));
  try {
    await mount(folder, "size=64k");
    await command("umount", [folder]);
    return true;
  } catch {
    return false;
  } finally {
    await rm(folder, { recursive: true });
  }
}

const cluster = realCluster();
const disks = await mayMount();
if (!disks && process.env["CI"] === "true") throw new Error("a small disk cannot be mounted here: these tests run as root");
const why = !cluster ? howToGetACluster : disks ? undefined : "a small disk cannot be mounted here: run this as root";
if (why !== undefined) console.warn(why);
type Event = Readonly<Record<string, unknown>>;

/** The log is on another disk: a gateway that cannot write that lets nothing pass, and so would never come to this. */
describe.skipIf(why !== undefined)(why ?? "disks of recordings", () => {
  let world: World;
  let ana: Person;
  let folder: string;
  let seen = 0;

  beforeAll(async () => {
    world = await createWorld({ kubeconfig: cluster!.gatewayKubeconfig });
    ana = await world.person("ana");
    await ana.logIn();
    const log = join(world.dataDir, "log");
    const server = (await readdir(log, { withFileTypes: true })).find((entry) => entry.isDirectory() && /^[0-9a-f-]{36}$/.test(entry.name))!.name;
    folder = join(log, server, "sessions", "default");
    await mkdir(folder, { recursive: true });
    await mount(folder, "size=512k");
  });
  afterAll(async () => {
    await command("umount", ["-l", folder]).catch(() => undefined);
    await world.close();
  });

  const print = "yes 0123456789 | head -c 3000000";
  const exec = (script: string) => ana.kubectl(["exec", "shell", "--", "sh", "-c", script]);
  /** Events since the last call, once one of this name is among them. */
  async function until(name: string): Promise<readonly Event[]> {
    await expect.poll(async () => (await world.events()).slice(seen).map((event) => event["event"]), { timeout: 20_000 }).toContain(name);
    const events = (await world.events()).slice(seen);
    seen += events.length;
    return events;
  }
  const named = (events: readonly Event[], name: string) => events.filter((event) => event["event"] === name);
  async function mode(record: "strict" | "best_effort"): Promise<void> {
    const role = (await world.tctl(["get", "roles/access"])).stdout.replace(/^ *record_session:.*\n/m, "");
    expect((await world.tctl(["create", "-f", "-"], { input: role.replace(/options:\n/, `options:\n    record_session: ${record}\n`) })).code).toBe(0);
    seen = (await world.events()).length;
  }
  const fill = () => writeFile(join(folder, "filler"), Buffer.alloc(1024 * 1024)).catch(() => undefined);
  const empty = async () => {
    for (const file of await readdir(folder)) await rm(join(folder, file));
  };

  it("that fill up end a strict session with the reason, in its terminal and in the log", async () => {
    await mode("strict");
    const ran = await exec(print);
    expect(ran.code).not.toBe(0);
    expect(ran.stderr).toMatch(/can no longer be recorded: ENOSPC/);
    expect(ran.stdout.length).toBeLessThan(3_000_000);
    const [end] = named(await until("session.end"), "session.end");
    expect(end).toMatchObject({ reason: expect.stringMatching(/can no longer be recorded: ENOSPC/) as string, recording: { complete: false } });
  });

  it("that are full refuse a strict session, as one denial with its command", async () => {
    await fill();
    const ran = await exec("touch /tmp/never");
    expect(ran.stderr).toMatch(/cannot be recorded: ENOSPC/);
    const denied = named(await until("kube.denied"), "kube.denied");
    expect(denied).toMatchObject([{ command: "sh -c touch /tmp/never", kubernetes_pod: "shell", response_code: 503 }]);
    expect(ran.stderr).toContain(String(denied[0]!["id"]));
    expect((await world.events()).slice(seen).filter((event) => event["event"] === "kube.denied")).toEqual([]);
  });

  it("that are full or fill up let a session go on that may have gaps, and the log tells of them", async () => {
    await mode("best_effort");
    const ran = await exec(`${print}; exit 7`);
    expect([ran.code, ran.stdout.length]).toEqual([7, 3_000_000]);
    const events = await until("session.end");
    expect(named(events, "session.start")).toMatchObject([{ recorded: false }]);
    expect(named(events, "session.gap")).toMatchObject([{ code: "G2003W", error: expect.stringContaining("ENOSPC") as string }]);
    await empty();
    const again = await exec(`yes 0123456789 | head -c 9000000; sleep 3; echo last; sleep 1; exit 7`);
    expect([again.code, again.stdout.length]).toEqual([7, 9_000_005]);
    const later = await until("session.end");
    expect(named(later, "session.start")).toMatchObject([{ recorded: true }]);
    expect(named(later, "session.gap").length).toBeGreaterThan(0);
    expect(named(later, "session.end")).toMatchObject([{ exit_code: 7, recording: { complete: false } }]);
    await empty();
  });

  it("that are read-only refuse a strict session, and are a gap in one that may have some", async () => {
    await expect.poll(() => command("mount", ["-o", "remount,ro", folder]).then(() => true, () => false), { timeout: 10_000 }).toBe(true);
    const ran = await exec("echo on; exit 7");
    expect([ran.code, ran.stdout]).toEqual([7, "on\n"]);
    expect(named(await until("session.end"), "session.gap")).toMatchObject([{ error: expect.stringContaining("EROFS") as string }]);
    await mode("strict");
    expect((await exec("true")).stderr).toMatch(/cannot be recorded: EROFS/);
    expect(named(await until("kube.denied"), "kube.denied")).toMatchObject([{ command: "sh -c true" }]);
    await command("mount", ["-o", "remount,rw", folder]);
    expect((await exec("true")).code).toBe(0);
  });
});
