import { existsSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { requireTool } from "../../packages/core/src/testing/index.ts";
import { named, readEvents, type EventReader } from "../support/event-reader.ts";
import { mountUnderRecordings, whyNoSmallDisk, type SmallDisk } from "../support/small-disk.ts";
import { createHostRole, hostLogin, startHost, type Host } from "../support/ssh-hosts.ts";
import { createWorld, type Person, type World } from "../support/world.ts";

const tools = ["sshd", "ssh"].every((tool) => requireTool(tool, "Debian: openssh-server openssh-client, and /usr/sbin on PATH"));
const why = tools ? await whyNoSmallDisk() : "OpenSSH is missing";
if (why !== undefined) console.warn(why);

describe.skipIf(why !== undefined)(why ?? "disks of recordings of sessions on hosts", () => {
  let world: World;
  let host: Host;
  let disk: SmallDisk;
  let ana: Person;
  let log: EventReader;
  beforeAll(async () => {
    world = await createWorld({ connector: { teams_to_logins: [], teams_to_roles: [{ organization: "octocats", team: "developers", roles: ["dev"] }] } });
    await createHostRole(world, "dev", {});
    host = await startHost(world, "web-1");
    log = readEvents(world);
    ana = await world.person("ana");
    await ana.logIn();
    disk = await mountUnderRecordings(world);
  });
  afterAll(async () => {
    await disk.unmount();
    await host.sshd.stop();
    await world.close();
  });

  const exec = (script: string) => ana.tsh(["ssh", `${hostLogin}@web-1`, script]);
  async function mode(record_session: "strict" | "best_effort"): Promise<void> {
    await createHostRole(world, "dev", { record_session });
    await log.skip();
  }
  const print = "yes 0123456789 | head -c 3000000";

  it("that fill up end a strict session with the reason, on its screen and in the log", async () => {
    await mode("strict");
    const ran = await exec(print);
    expect(ran.code).not.toBe(0);
    expect(ran.stderr).toMatch(/can no longer be recorded: ENOSPC/);
    expect(ran.stdout.length).toBeLessThan(3_000_000);
    expect(named(await log.until("session.end"), "session.end")).toMatchObject([{ proto: "ssh", reason: expect.stringMatching(/can no longer be recorded: ENOSPC/) as string, recording: { complete: false } }]);
  });

  it("that are full refuse a strict session before the host runs anything", async () => {
    await disk.fill();
    const ran = await exec(`touch ${world.folder}/never`);
    expect(ran.code).not.toBe(0);
    expect(ran.stderr).toMatch(/cannot be recorded: ENOSPC/);
    expect(named(await log.unread(), "session.start")).toEqual([]);
    expect(existsSync(`${world.folder}/never`)).toBe(false);
  });

  it("that are full or fill up let a session go on that may have gaps, and the log tells of them", async () => {
    await mode("best_effort");
    const ran = await exec(`${print}; exit 7`);
    expect([ran.code, ran.stdout.length]).toEqual([7, 3_000_000]);
    const events = await log.until("session.end");
    expect(named(events, "session.start")).toMatchObject([{ recorded: false }]);
    expect(named(events, "session.gap")).toMatchObject([{ code: "G2003W", server_hostname: "web-1", error: expect.stringContaining("ENOSPC") as string }]);
    await disk.empty();
    const again = await exec("yes 0123456789 | head -c 9000000; sleep 3; echo last; sleep 1; exit 7");
    expect([again.code, again.stdout.length]).toEqual([7, 9_000_005]);
    const later = await log.until("session.end");
    expect(named(later, "session.start")).toMatchObject([{ recorded: true }]);
    expect(named(later, "session.gap").length).toBeGreaterThan(0);
    expect(named(later, "session.end")).toMatchObject([{ exit_code: 7, recording: { complete: false } }]);
  });
});
