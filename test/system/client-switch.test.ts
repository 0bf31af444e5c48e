import { readFile, readdir } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createClientWorld, createLocalUser, newMachine, type Machine } from "../support/machine.ts";
import type { World } from "../support/world.ts";

/** What `tsh login` does where a login is there: goes on with it, switches, and leaves the browser shut. */
let world: World;
let other: World;
const password = "correct horse battery";
beforeAll(async () => {
  [world, other] = await Promise.all([createClientWorld(["example", "staging"]), createClientWorld(["example"])]);
  await createLocalUser(world, "lea", password);
});
afterAll(() => Promise.all([world.close(), other.close()]));

const certificate = async (machine: Machine, proxy = world.proxy): Promise<string> => (JSON.parse((await machine.tsh(["kube", "credentials", `--proxy=${proxy}`])).stdout) as { status: { clientCertificateData: string } }).status.clientCertificateData;
const keys = async (machine: Machine): Promise<readonly string[]> => (await readdir(join(machine.home, ".tsh", "keys"))).sort();
const asLea = (machine: Machine, args: readonly string[] = []) => machine.tsh(["login", `--proxy=${world.proxy}`, "--auth=local", "--user=lea", "--password-stdin", "--keystore=file", ...args], { input: `${password}\n` });
const json = async (machine: Machine, args: readonly string[]): Promise<Record<string, unknown>> => JSON.parse((await machine.tsh([...args, "--format=json"])).stdout) as Record<string, unknown>;

describe("tsh login while logged in", () => {
  it("says who that is and until when, for people and programs, and logs in anew with --force alone", async () => {
    const ana = await newMachine(world, "ana");
    await ana.logIn();
    const before = await certificate(ana);
    const again = await ana.tsh(["login"]);
    expect(again).toMatchObject({ code: 0, stdout: "" });
    expect(again.stderr).toMatch(/^\n✔ already logged in as ana {2}\(github, 127\.0\.0\.1:\d+\)\n {2}cluster +example {3}valid until [^]* {2}a new login: tsh login --force\n$/);
    expect(again.stderr).not.toContain("browser");
    expect(await json(ana, ["login", `--proxy=${world.proxy}`, "--auth=github"])).toMatchObject({ user: "ana", new_login: false, valid_until: expect.any(String) as string });
    expect((await ana.tsh(["login", "--ttl=1h"])).stderr).toContain("--ttl is for a new login: tsh login --force");
    expect(await certificate(ana)).toBe(before);
    expect(await json(ana, ["login", "--force"])).toMatchObject({ new_login: true });
    expect(await certificate(ana)).not.toBe(before);
  });

  it("logs in anew where the gateway no longer knows the login, and where another account is asked for", async () => {
    const ana = await newMachine(world, "ana");
    await ana.logIn();
    const before = await certificate(ana);
    const thief = await newMachine(world, "ana", { TELEPORT_HOME: join(ana.home, ".tsh") });
    // Ends the session at the gateway; here the profile and key are put back.
    const files = await ana.files();
    expect((await thief.tsh(["logout"])).code).toBe(0);
    const { writeFile, mkdir } = await import("node:fs/promises");
    await mkdir(join(ana.home, ".tsh", "keys"), { recursive: true });
    for (const [path, text] of files) if (path.includes("/.tsh/") && !path.endsWith(".lock")) await writeFile(path, text, { mode: path.endsWith("/bin/tsh") ? 0o755 : 0o600 });
    expect(await certificate(ana)).toBe(before);
    expect((await ana.tsh(["login"])).stderr).toContain("✔ logged in as ana");
    expect(await certificate(ana)).not.toBe(before);
  });

  it("points kubectl at the cluster named, and says which clusters there are", async () => {
    const ana = await newMachine(world, "ana");
    await ana.logIn();
    const outcome = await ana.tsh(["login", "staging"]);
    expect(outcome.stderr).toMatch(/already logged in as ana[^]*✔ kubectl now talks to staging as ana\n/);
    expect(await readFile(ana.kubeconfig, "utf8")).toContain("current-context: example-staging");
    expect(await ana.tsh(["login", "nosuch"])).toMatchObject({ code: 5, stderr: expect.stringContaining('knows no Kubernetes cluster "nosuch"') as string });
    expect((await ana.tsh(["login", "staging", "--force"])).stderr).toContain("✔ logged in as ana");
  });
});

describe("several users of one gateway", () => {
  it("are kept side by side: --user goes back to one without a password, and kubectl follows", async () => {
    const machine = await newMachine(world, "ana");
    await machine.logIn();
    const ana = await certificate(machine);
    expect(await asLea(machine)).toMatchObject({ code: 0, stderr: expect.stringContaining("✔ logged in as lea") as string });
    const lea = await certificate(machine);
    expect(lea).not.toBe(ana);
    expect(await keys(machine)).toHaveLength(2);
    const back = await machine.tsh(["login", "--user=ana"]);
    expect(back).toMatchObject({ code: 0, stderr: expect.stringContaining("✔ switched to the login of ana  (github,") as string });
    expect(await certificate(machine)).toBe(ana);
    expect((await machine.tsh(["login", "--auth=local"])).stderr).toContain("✔ switched to the login of lea");
    expect(await certificate(machine)).toBe(lea);
    expect(await keys(machine)).toHaveLength(2);
  });

  it("are shown by status, the one in use first, and left one by one", async () => {
    const machine = await newMachine(world, "ana");
    await machine.logIn();
    await asLea(machine);
    const shown = (await machine.tsh(["status"])).stdout;
    expect(shown).toMatch(/^ {2}gateway +127\.0\.0\.1:\d+ {3}\(current\)\n {2}logged in as +lea {3}\(local\)\n[^]*\n\n {2}gateway +\S+ {3}\(kept; to use it: tsh login --proxy=\S+ --user=ana\)\n {2}logged in as +ana/);
    expect(await json(machine, ["status"])).toMatchObject({ user: "lea", current: true, kept: false, logged_in: true, others: [{ user: "ana", kept: true, current: false, logged_in: true }] });
    expect(await json(machine, ["status", "--all"])).toMatchObject([{ user: "lea" }, { user: "ana" }]);
    expect((await machine.tsh(["logout", "--user=nobody"])).stderr).toBe(`not logged in to ${world.proxy} as nobody\n`);
    expect((await machine.tsh(["logout", `--proxy=${world.proxy}`, "--user=ana"])).stderr).toBe(`✔ logged out of ${world.proxy} as ana\n`);
    expect(await keys(machine)).toHaveLength(1);
    expect(await json(machine, ["status"])).toMatchObject({ user: "lea", logged_in: true, others: [] });
    expect((await machine.tsh(["kube", "credentials"])).code).toBe(0);
    await machine.logIn();
    expect((await machine.tsh(["logout"])).stderr).toBe(`✔ logged out of ${world.proxy} as ana\n✔ logged out of ${world.proxy} as lea\n`);
    expect(await keys(machine)).toEqual([]);
    expect(await machine.tsh(["status"])).toMatchObject({ code: 3, stdout: "" });
  });
});

describe("several gateways", () => {
  it("are switched between without a login, and left all at once", async () => {
    const machine = await newMachine(world, "ana", { SSL_CERT_FILE: other.caFile });
    await machine.logIn();
    const there = await machine.tsh(["login", `--proxy=${other.proxy}`, "--auth=github", `--ca-pin=${other.ready.ca_pin}`, "--keystore=file"], { env: { ...machine.env, BROWSER_CA: other.caFile } });
    expect(there.code, there.stderr).toBe(0);
    const kept = await certificate(machine, other.proxy);
    expect((await machine.tsh(["login", `--proxy=${world.proxy}`])).stderr).toContain("✔ switched to the login of ana");
    expect(await json(machine, ["status"])).toMatchObject({ proxy: world.proxy, others: [{ proxy: other.proxy, logged_in: true }] });
    expect(await json(machine, ["status", `--proxy=${other.proxy}`])).toMatchObject({ proxy: other.proxy, current: false, others: [] });
    expect(await certificate(machine, other.proxy)).toBe(kept);
    const out = await machine.tsh(["logout", "--all"]);
    expect(out.stderr.match(/✔ logged out of/g)).toHaveLength(2);
    expect(await keys(machine)).toEqual([]);
  });
});
