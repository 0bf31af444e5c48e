import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { howToGetACluster, realCluster } from "../support/cluster.ts";
import { named, readEvents, type EventReader } from "../support/event-reader.ts";
import { mountUnderRecordings, whyNoSmallDisk, type SmallDisk } from "../support/small-disk.ts";
import { createWorld, type Person, type World } from "../support/world.ts";

const cluster = realCluster();
const why = cluster ? await whyNoSmallDisk() : howToGetACluster;
if (why !== undefined) console.warn(why);

describe.skipIf(why !== undefined)(why ?? "disks of recordings", () => {
  let world: World;
  let ana: Person;
  let disk: SmallDisk;
  let log: EventReader;

  beforeAll(async () => {
    world = await createWorld({ kubeconfig: cluster!.gatewayKubeconfig });
    log = readEvents(world);
    ana = await world.person("ana");
    await ana.logIn();
    disk = await mountUnderRecordings(world);
  });
  afterAll(async () => {
    await disk.unmount();
    await world.close();
  });

  const print = "yes 0123456789 | head -c 3000000";
  const exec = (script: string) => ana.kubectl(["exec", "shell", "--", "sh", "-c", script]);
  async function mode(record: "strict" | "best_effort"): Promise<void> {
    const role = (await world.tctl(["get", "roles/access"])).stdout.replace(/^ *record_session:.*\n/m, "");
    expect((await world.tctl(["create", "-f", "-"], { input: role.replace(/options:\n/, `options:\n    record_session: ${record}\n`) })).code).toBe(0);
    await log.skip();
  }

  it("that fill up end a strict session with the reason, in its terminal and in the log", async () => {
    await mode("strict");
    const ran = await exec(print);
    expect(ran.code).not.toBe(0);
    expect(ran.stderr).toMatch(/can no longer be recorded: ENOSPC/);
    expect(ran.stdout.length).toBeLessThan(3_000_000);
    const [end] = named(await log.until("session.end"), "session.end");
    expect(end).toMatchObject({ reason: expect.stringMatching(/can no longer be recorded: ENOSPC/) as string, recording: { complete: false } });
  });

  it("that are full refuse a strict session, as one denial with its command", async () => {
    await disk.fill();
    const ran = await exec("touch /tmp/never");
    expect(ran.stderr).toMatch(/cannot be recorded: ENOSPC/);
    const denied = named(await log.until("kube.denied"), "kube.denied");
    expect(denied).toMatchObject([{ command: "sh -c touch /tmp/never", kubernetes_pod: "shell", response_code: 503 }]);
    expect(ran.stderr).toContain(String(denied[0]!["id"]));
    expect(named(await log.unread(), "kube.denied")).toEqual([]);
  });

  it("that are full or fill up let a session go on that may have gaps, and the log tells of them", async () => {
    await mode("best_effort");
    const ran = await exec(`${print}; exit 7`);
    expect([ran.code, ran.stdout.length]).toEqual([7, 3_000_000]);
    const events = await log.until("session.end");
    expect(named(events, "session.start")).toMatchObject([{ recorded: false }]);
    expect(named(events, "session.gap")).toMatchObject([{ code: "G2003W", error: expect.stringContaining("ENOSPC") as string }]);
    await disk.empty();
    const again = await exec(`yes 0123456789 | head -c 9000000; sleep 3; echo last; sleep 1; exit 7`);
    expect([again.code, again.stdout.length]).toEqual([7, 9_000_005]);
    const later = await log.until("session.end");
    expect(named(later, "session.start")).toMatchObject([{ recorded: true }]);
    expect(named(later, "session.gap").length).toBeGreaterThan(0);
    expect(named(later, "session.end")).toMatchObject([{ exit_code: 7, recording: { complete: false } }]);
    await disk.empty();
  });

  it("that are read-only refuse a strict session, and are a gap in one that may have some", async () => {
    await expect.poll(() => disk.freeze()).toBe(true);
    const ran = await exec("echo on; exit 7");
    expect([ran.code, ran.stdout]).toEqual([7, "on\n"]);
    expect(named(await log.until("session.end"), "session.gap")).toMatchObject([{ error: expect.stringContaining("EROFS") as string }]);
    await mode("strict");
    expect((await exec("true")).stderr).toMatch(/cannot be recorded: EROFS/);
    expect(named(await log.until("kube.denied"), "kube.denied")).toMatchObject([{ command: "sh -c true" }]);
    await disk.thaw();
    expect((await exec("true")).code).toBe(0);
  });
});
