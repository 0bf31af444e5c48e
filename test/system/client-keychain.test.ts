import type { ChildProcess } from "node:child_process";
import { readFile, stat } from "node:fs/promises";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { requireTool } from "@gatehouse/core/testing";
import { keyringSessions } from "../support/keyring.ts";
import { createClientWorld, newMachine, type Machine } from "../support/machine.ts";
import { run } from "../support/process.ts";
import { tshPath, type World } from "../support/world.ts";

const hasKeyring = requireTool("gnome-keyring-daemon", "apt-get install gnome-keyring dbus") && requireTool("dbus-daemon", "apt-get install dbus");

let world: World;
beforeAll(async () => {
  world = await createClientWorld(["example"]);
});
afterAll(() => world.close());

const login = (machine: Machine, args: readonly string[] = []) => machine.tsh(["login", `--proxy=${world.proxy}`, `--ca-pin=${world.ready.ca_pin}`, "--force", ...args]);
const privateKeys = async (machine: Machine): Promise<readonly string[]> => [...(await machine.files())].filter(([, text]) => text.includes("PRIVATE KEY")).map(([path]) => path);

/** The same home on another session bus. */
function onBus(machine: Machine, address: NodeJS.ProcessEnv): Machine {
  const env = { ...machine.env, ...address };
  return { ...machine, env, tsh: (args, options) => run(process.execPath, [tshPath, ...args], { env, ...options }) };
}

describe.skipIf(!hasKeyring)("with a real Secret Service", () => {
  const sessions = keyringSessions();
  afterEach(() => sessions.close());

  /** A machine on a session bus of its own, and a keyring on that which this password unlocks (undefined leaves it as it is). */
  async function session(password: string | undefined, of?: Machine): Promise<{ readonly machine: Machine; readonly keyring: ChildProcess }> {
    let machine: Machine | undefined;
    const { keyring } = await sessions.start(password, async (address) => (machine = of ? onBus(of, address) : await newMachine(world, "ana", address)).env);
    return { machine: machine!, keyring };
  }

  it("keeps the key there and in no file, answers kubectl, and takes it away at logout", async () => {
    const { machine } = await session("secret");
    expect(await login(machine)).toMatchObject({ code: 0 });
    expect(await privateKeys(machine)).toEqual([]);
    const credentials = await machine.tsh(["kube", "credentials"]);
    expect(JSON.parse(credentials.stdout)).toMatchObject({ status: { clientKeyData: expect.stringContaining("PRIVATE KEY") as string } });
    expect((await machine.tsh(["status", "--format=json"])).stdout).toContain('"keystore": "keychain"');
    expect((await machine.tsh(["logout"])).code).toBe(0);
    expect((await machine.tsh(["kube", "credentials"])).code).toBe(3);
  });

  it("moves the key from a file to it, and back where that is asked for", async () => {
    const { machine } = await session("secret");
    expect((await login(machine, ["--keystore=file"])).code).toBe(0);
    expect(await privateKeys(machine)).toHaveLength(1);
    expect((await login(machine)).code).toBe(0);
    expect(await privateKeys(machine)).toEqual([]);
    expect((await login(machine, ["--keystore=file"])).code).toBe(0);
    expect((await machine.tsh(["kube", "credentials"])).code).toBe(0);
  });

  it("that is locked is an error, never a file", async () => {
    const unlocked = await session("secret");
    expect((await login(unlocked.machine)).code).toBe(0);
    const { machine } = await session(undefined, unlocked.machine);
    const again = await login(machine);
    expect(again).toMatchObject({ code: 1, stderr: expect.stringContaining("the keychain is locked") as string });
    expect(again.stderr).toContain("--keystore=file");
    expect(await machine.tsh(["kube", "credentials"])).toMatchObject({ code: 1, stdout: "", stderr: expect.stringContaining("the keychain is locked") as string });
    expect(await privateKeys(machine)).toEqual([]);
  });

  it("that has no keychain yet is an error, never a file", async () => {
    const { machine } = await session(undefined);
    expect(await login(machine)).toMatchObject({ code: 1, stderr: expect.stringContaining("no default keychain") as string });
    expect(await privateKeys(machine)).toEqual([]);
  });

  it("that hangs is an error within seconds, never a file", async () => {
    const { machine, keyring } = await session("secret");
    expect((await login(machine)).code).toBe(0);
    keyring.kill("SIGSTOP");
    for (const outcome of await Promise.all([login(machine), machine.tsh(["kube", "credentials"])])) {
      expect(outcome).toMatchObject({ code: 1, stdout: "", stderr: expect.stringContaining("did not answer within 5 s") as string });
    }
    expect(await privateKeys(machine)).toEqual([]);
  });
});

describe.skipIf(process.platform !== "linux")("with no keychain at all", () => {
  it("keeps the key in a file that only its owner can read, and says so", async () => {
    const machine = await newMachine(world, "ana");
    const outcome = await login(machine);
    expect(outcome).toMatchObject({ code: 0, stderr: expect.stringContaining("No keychain service runs here") as string });
    const [path, ...more] = await privateKeys(machine);
    expect(more).toEqual([]);
    expect((await stat(path!)).mode & 0o777).toBe(0o600);
    expect(JSON.parse(await readFile(path!, "utf8"))).toMatchObject({ username: "ana" });
    expect(await login(machine, ["--keystore=keychain"])).toMatchObject({ code: 1, stderr: expect.stringContaining("no keychain service runs in this session") as string });
  });
});
