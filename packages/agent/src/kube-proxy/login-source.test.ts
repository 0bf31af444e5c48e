import { once } from "node:events";
import { chmod, mkdir, mkdtemp, rm, symlink, utimes, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { manualClock, type ManualClock } from "@gatehouse/core/base";
import { clientHome, openLogins, type LoginRecord } from "@gatehouse/core/client/lean";
import { AgentLocked, agentPlace, formatAgentAnswer, formatAgentRefusal } from "@gatehouse/core/client/local-agent";
import { openLoginSource, type LoginSourceOptions } from "./login-source.ts";

const hour = 3_600_000;
let folder: string;
let clock: ManualClock;
let written = 0;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "gatehouse-login-"));
  clock = manualClock(Date.now());
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const record = (username: string, expires: number): LoginRecord => ({ version: 1, proxy: "gw.example:3080", cluster: "example", username, privateKey: "k", sshCertificate: "s", tlsCertificate: username, hostKeys: [], hostCertificates: [], issued: 0, expires });

/** Keeps a login as a command does: the profile is written last. */
async function store(login: LoginRecord): Promise<void> {
  const home = clientHome({ TELEPORT_HOME: folder });
  await openLogins(home, "file", {}).write("gw.example", login);
  const profile = home.profile("gw.example");
  await writeFile(profile, "web_proxy_addr: gw.example:3080\nauth_type: github\nkeystore: file\n");
  const time = new Date(Date.now() + ++written * 1000);
  await utimes(profile, time, time);
}

const options = (more: Partial<LoginSourceOptions> = {}): LoginSourceOptions => ({ env: { TELEPORT_HOME: folder, TSH_AGENT: "off" }, clock, proxy: "gw.example", identity: undefined, mayAsk: () => Promise.resolve(false), login: () => Promise.reject(new Error("nobody asked")), notice: () => undefined, ...more });

describe("a login that is followed", () => {
  it("is read once, and again when its profile changes", async () => {
    await store(record("ana", clock.now() + hour));
    const source = await openLoginSource(options());
    const first = await source.current();
    expect(first.username).toBe("ana");
    clock.advance(10_000);
    expect(await source.current()).toBe(first);
    await store(record("bo", clock.now() + hour));
    clock.advance(1000);
    expect((await source.current()).username).toBe("bo");
  });

  it("is read anew where the gateway refused it, but not for every refusal", async () => {
    await store(record("ana", clock.now() + hour));
    const source = await openLoginSource(options());
    const first = await source.current();
    source.doubt();
    expect(await source.current()).toBe(first);
    clock.advance(2000);
    expect(await source.current()).not.toBe(first);
  });

  it("that ended is told with what to run, again and again, until there is a new one", async () => {
    await store(record("ana", clock.now() + hour));
    const source = await openLoginSource(options());
    await source.current();
    clock.advance(2 * hour);
    for (let times = 0; times < 3; times++) {
      await expect(source.current()).rejects.toMatchObject({ code: "unauthenticated", message: "your login to gw.example ended 1 h ago; run: tsh login --proxy=gw.example --auth=github" });
      clock.advance(times * 700);
    }
    await store(record("ana", clock.now() + hour));
    expect((await source.current()).expires).toBeGreaterThan(clock.now());
  });

  it("is not used while the agent is locked, though it was read before", async () => {
    await store(record("ana", clock.now() + hour));
    const env = { TELEPORT_HOME: folder, XDG_RUNTIME_DIR: folder };
    const place = agentPlace(env, clientHome(env));
    await mkdir(place.directory, { mode: 0o700 });
    let locked = false;
    const agent = createServer((socket) => {
      socket.on("error", () => undefined).once("data", () => socket.end(locked ? formatAgentRefusal(new AgentLocked()) : formatAgentAnswer({ record: null })));
    });
    agent.listen(place.control);
    await once(agent, "listening");
    await chmod(place.control, 0o600);
    const source = await openLoginSource(options({ env }));
    await source.current();
    locked = true;
    clock.advance(5000);
    for (let times = 0; times < 2; times++) await expect(source.current()).rejects.toMatchObject({ code: "unauthenticated", hint: "unlock: tsh agent unlock" });
    locked = false;
    expect((await source.current()).username).toBe("ana");
    agent.close();
    await once(agent, "close");
    clock.advance(5000);
    expect((await source.current()).username).toBe("ana");
  });

  it("stays that of its gateway when another becomes the current one", async () => {
    await store(record("ana", clock.now() + hour));
    await symlink("gw.example.yaml", clientHome({ TELEPORT_HOME: folder }).current);
    const source = await openLoginSource(options({ proxy: undefined }));
    await rm(clientHome({ TELEPORT_HOME: folder }).current);
    expect((await source.current()).username).toBe("ana");
  });

  it("asks once for a login on the terminal however many wait, and not again before there was a good one", async () => {
    await store(record("ana", clock.now() - hour));
    let asked = 0;
    const login = async (): Promise<void> => {
      asked += 1;
      if (asked === 2) throw new Error("cancelled");
      await store(record("ana", clock.now() + hour));
    };
    const source = await openLoginSource(options({ mayAsk: () => Promise.resolve(true), login }));
    const all = await Promise.all(Array.from({ length: 20 }, () => source.current()));
    expect([asked, new Set(all).size]).toEqual([1, 1]);
    clock.advance(2 * hour);
    for (let times = 0; times < 3; times++) {
      await expect(source.current()).rejects.toThrow();
      clock.advance(60_000);
    }
    expect(asked).toBe(2);
    await store(record("ana", clock.now() + hour));
    await source.current();
  });
});
