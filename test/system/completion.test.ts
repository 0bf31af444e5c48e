import { mkdir, readFile, readdir, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { requireTool } from "../../packages/core/src/testing/index.ts";
import { createClientWorld, newMachine, type Machine } from "../support/machine.ts";
import { run, type Outcome } from "../support/process.ts";
import { commandsFolder, openShell, type ShellName, type TypedShell } from "../support/shells.ts";
import { tctlPath, tshPath, type World } from "../support/world.ts";

const shells = (["bash", "zsh", "fish"] as const).filter((name) => requireTool(name, `Debian: ${name}`));
const hostile = ["$(touch pwned)", "`touch pwned`", "a b'c\"d", "x;touch pwned", "~root", "!!", "é漢", "-rf", "bad\u001b[2Jname", "two\nlines"];

let world: World;
let ana: Machine;
let cy: Machine;
let bin: string;
const environment = (machine: Machine): NodeJS.ProcessEnv => ({ ...machine.env, PATH: `${bin}:${process.env["PATH"] ?? ""}` });
const resources = ["web-1", "web-2", "db-1"].map((name) => `kind: node\nversion: v2\nmetadata: {name: id-of-${name}, labels: {env: staging}}\nspec: {addr: 10.0.0.1, hostname: ${name}}\n`);

beforeAll(async () => {
  world = await createClientWorld(["prod", "staging"]);
  bin = await commandsFolder(join(world.folder, "bin"));
  expect(await world.tctl(["create", "-f", "-"], { input: [...resources, "kind: role\nversion: v3\nmetadata: {name: ops}\nspec: {allow: {logins: [root]}}\n"].join("---\n") })).toMatchObject({ code: 0 });
  [ana, cy] = await Promise.all([newMachine(world, "ana"), newMachine(world, "cy")]);
  for (const machine of [ana, cy]) expect(await machine.logIn()).toMatchObject({ code: 0 });
});
afterAll(() => world.close());

const ask = (machine: Machine, program: "tsh" | "tctl", ...words: string[]): Promise<Outcome> => run(process.execPath, [program === "tsh" ? tshPath : tctlPath, "__complete", "fish", ...words], { env: machine.env, cwd: machine.home });
const values = ({ stdout }: Outcome): readonly string[] => stdout.split("\n").slice(1, -1).map((line) => line.split("\t", 1)[0] ?? "");
/** Names that the gateway was asked for: the first TAB waits for them a second and a half at most, and they come all the same. */
async function eventually(machine: Machine, program: "tsh" | "tctl", words: readonly string[], wanted: unknown): Promise<void> {
  await vi.waitFor(async () => expect(values(await ask(machine, program, ...words))).toEqual(wanted), { interval: 200 });
}
const cacheOf = (machine: Machine): string => join(machine.home, ".tsh", "cache");

/** Puts names that no gateway would give in the place of those that are kept. */
async function poison(machine: Machine, kind: string, names: readonly string[]): Promise<void> {
  for (const file of (await readdir(cacheOf(machine))).filter((name) => name.endsWith(".json"))) {
    const path = join(cacheOf(machine), file);
    const kept = JSON.parse(await readFile(path, "utf8")) as { kinds: Record<string, unknown> };
    kept.kinds[kind] = { at: Date.now(), names: names.map((name) => ({ name, note: name, logins: ["root"] })) };
    await writeFile(path, JSON.stringify(kept));
  }
}

describe("what is built beside the commands", () => {
  it("says what the command classes say", async () => {
    for (const path of [tshPath, tctlPath]) {
      const built = await readFile(join(path, "../../dist/commands.json"), "utf8");
      expect((await run(process.execPath, [path, "__commands"])).stdout).toBe(built);
      expect(Object.keys((JSON.parse(built) as { commands: object }).commands).length).toBeGreaterThan(15);
    }
  });
});

describe("the completer", () => {
  it("knows names of the gateway at the first TAB, keeps them for this person alone, and forgets them at a logout", async () => {
    const machine = await newMachine(world, "ana");
    expect(values(await ask(machine, "tsh", "kube", "login", ""))).toEqual([]);
    expect(await readdir(machine.home)).toEqual([]);
    await machine.logIn();
    await eventually(machine, "tsh", ["kube", "login", ""], ["prod", "staging"]);
    expect(values(await ask(machine, "tsh", "--proxy=", "login", "--proxy="))).toEqual([`--proxy=${world.proxy}`]);
    await eventually(machine, "tsh", ["login", "--auth", ""], ["github", "local"]);
    const files = await readdir(cacheOf(machine));
    expect(files.some((name) => name.endsWith(".json"))).toBe(true);
    expect((await stat(cacheOf(machine))).mode & 0o777).toBe(0o700);
    for (const name of files) expect([name, (await stat(join(cacheOf(machine), name))).mode & 0o777]).toEqual([name, 0o600]);
    expect([...(await machine.files())].filter(([path, text]) => path.startsWith(cacheOf(machine)) && /PRIVATE|CERTIFICATE|-cert-/.test(text))).toEqual([]);
    expect(await machine.tsh(["logout"])).toMatchObject({ code: 0 });
    expect((await readdir(cacheOf(machine))).filter((name) => name.endsWith(".json"))).toEqual([]);
    expect(values(await ask(machine, "tsh", "kube", "login", ""))).toEqual([]);
  });

  it("names hosts, accounts, sessions to whom they concern, and resources to administrators", async () => {
    await eventually(ana, "tsh", ["ssh", "w"], ["web-1", "web-2"]);
    await eventually(ana, "tsh", ["ssh", "deploy@"], ["deploy@db-1", "deploy@web-1", "deploy@web-2"]);
    await eventually(ana, "tsh", ["ssh", "-l", ""], ["ana", "deploy"]);
    expect(values(await ask(ana, "tctl", "get", "role/"))).toEqual([]);
    await eventually(cy, "tctl", ["get", "role/"], expect.arrayContaining(["role/admin", "role/ops"]));
    await eventually(cy, "tctl", ["rm", "node/"], ["node/id-of-db-1", "node/id-of-web-1", "node/id-of-web-2"]);
    await eventually(cy, "tctl", ["lock", "--user="], expect.arrayContaining(["--user=ana", "--user=cy"]));
    await eventually(cy, "tctl", ["lock", "--kube-cluster", ""], ["prod", "staging"]);
  });

  it("never shows the name of a token, which is a secret", async () => {
    expect(await world.tctl(["bots", "add", "ci", "--roles=ops"])).toMatchObject({ code: 0 });
    const made = await world.tctl(["tokens", "add", "--bot=ci", "--format=json"]);
    expect(made, made.stderr).toMatchObject({ code: 0 });
    const { token } = JSON.parse(made.stdout) as { token: string };
    expect(token.length).toBeGreaterThan(20);
    await eventually(cy, "tctl", ["tokens", "rm", ""], expect.arrayContaining([expect.stringMatching(/^[0-9a-f]{12}$/)]));
    const asked = [await ask(cy, "tctl", "tokens", "rm", ""), await ask(cy, "tctl", "get", "token/"), await ask(cy, "tctl", "rm", "token/")];
    for (const { stdout } of asked) expect(stdout).not.toContain(token);
    for (const [path, text] of await cy.files()) if (path.startsWith(cacheOf(cy))) expect(text).not.toContain(token);
  });

  it("answers from what it has, and says nothing, where the gateway is gone, the login has ended or the home is damaged", async () => {
    const machine = await newMachine(world, "ana");
    await machine.logIn(["--ttl=1m"]);
    const profile = join(machine.home, ".tsh", `${world.proxy.replace(":", "_")}.yaml`);
    const text = await readFile(profile, "utf8");
    await writeFile(profile, text.replace(world.proxy, "127.0.0.1:1"));
    const unreached = await ask(machine, "tsh", "ssh", "");
    expect(unreached).toMatchObject({ code: 0, stdout: ":none\n", stderr: "" });
    await writeFile(profile, text);
    await writeFile(join(machine.home, ".tsh", "profile"), "\u0000");
    expect(values(await ask(machine, "tsh", "ssh", ""))).toEqual([]);
    expect(values(await ask(machine, "tsh", "status", "--format="))).toEqual(["--format=text", "--format=json", "--format=yaml"]);
  });

  it("uses old names at once, and has new ones the next time", async () => {
    const machine = await newMachine(world, "ana");
    await machine.logIn();
    await eventually(machine, "tsh", ["kube", "login", ""], ["prod", "staging"]);
    for (const file of (await readdir(cacheOf(machine))).filter((name) => name.endsWith(".json"))) {
      const path = join(cacheOf(machine), file);
      await writeFile(path, JSON.stringify({ version: 1, kinds: { cluster: { at: Date.now() - 3_600_000, names: [{ name: "gone" }] } } }));
      for (const tried of (await readdir(cacheOf(machine))).filter((name) => name.endsWith(".tried"))) await rm(join(cacheOf(machine), tried));
      expect(values(await ask(machine, "tsh", "kube", "login", ""))).toEqual(["gone"]);
      await expect.poll(async () => values(await ask(machine, "tsh", "kube", "login", ""))).toEqual(["prod", "staging"]);
    }
  });
});

describe.each(shells)("%s", (name: ShellName) => {
  let shell: TypedShell;
  let folder: string;
  let machine: Machine;
  beforeAll(async () => {
    machine = await newMachine(world, "ana");
    expect(await machine.logIn()).toMatchObject({ code: 0 });
    folder = join(world.folder, `cwd-${name}`);
    await mkdir(folder);
    await writeFile(join(folder, "some file.yaml"), "");
    // Names are there: what is tried is the shell, not the gateway.
    await eventually(machine, "tsh", ["ssh", ""], expect.arrayContaining(["db-1"]));
    await eventually(machine, "tsh", ["kube", "login", ""], ["prod", "staging"]);
    await eventually(machine, "tsh", ["login", "--proxy", ""], [world.proxy]);
    shell = await openShell(name, environment(machine), "tsh", folder);
  });
  afterAll(() => shell.close());

  it("completes commands, flags and their values", async () => {
    expect(await shell.type("tsh ku\t log\t st\t")).toEqual(["kube", "login", "staging"]);
    expect(await shell.type("tsh sta\t --form\tjs\t")).toEqual(["status", "--format=json"]);
    expect(await shell.type("tsh login --keyst\tfi\t --fo")).toEqual(["login", "--keystore=file", "--fo"]);
    expect(await shell.type("tsh completion z\t")).toEqual(["completion", "zsh"]);
  });

  it("completes names, also behind @, = and within quotes", async () => {
    expect(await shell.type("tsh ssh d\tb-\t")).toEqual(["ssh", "db-1"]);
    expect(await shell.type("tsh ssh deploy@d\t uptime")).toEqual(["ssh", "deploy@db-1", "uptime"]);
    expect(await shell.type("tsh kube login 'pr\t")).toEqual(["kube", "login", "prod"]);
    expect(await shell.type(`tsh login --proxy=${world.proxy.slice(0, 4)}\t`)).toEqual(["login", `--proxy=${world.proxy}`]);
    expect(await shell.type("tsh scp db\t/srv .")).toEqual(["scp", "db-1:/srv", "."]);
  });

  it("completes files where files stand, spaces and all", async () => {
    expect(await shell.type("tsh proxy --config=som\t")).toEqual(["proxy", "--config=some file.yaml"]);
    expect(await shell.type("tsh proxy -c som\t")).toEqual(["proxy", "-c", "some file.yaml"]);
    expect(await shell.type("tsh scp som\t db\t")).toEqual(["scp", "some file.yaml", "db-1:"]);
  });

  it("takes no name for a command, whatever is in it", async () => {
    await poison(machine, "cluster", hostile);
    for (const [typed, whole] of [["\\$", hostile[0]], ["\\`", hostile[1]], ["a", hostile[2]], ["x", hostile[3]], ["é", hostile[6]]] as const) {
      expect(await shell.type(`tsh kube login ${typed}\t`)).toEqual(["kube", "login", whole]);
    }
    for (const gone of ["ba", "tw"]) expect(await shell.type(`tsh kube login ${gone}\t`)).toEqual(["kube", "login", gone]);
    expect(await readdir(folder)).toEqual(["some file.yaml"]);
  });

  it("shows nothing that a terminal obeys, and no error, where nothing fits", async () => {
    expect(await shell.see("tsh kube login \t\t", /touch\\?\s+pwned/)).not.toMatch(/bad|lines/);
    expect(await shell.type("tsh nosuch \t\t")).toEqual(["nosuch"]);
  });

  it("completes tctl too", async () => {
    await eventually(cy, "tctl", ["get", "role/"], expect.arrayContaining(["role/ops"]));
    await eventually(cy, "tctl", ["edit", "user/"], expect.arrayContaining(["user/cy"]));
    const tctl = await openShell(name, environment(cy), "tctl", folder);
    try {
      expect(await tctl.type("tctl get role/op\t")).toEqual(["get", "role/ops"]);
      expect(await tctl.type("tctl edit us\tc\t")).toEqual(["edit", "user/cy"]);
      expect(await tctl.type("tctl lock --ro\top\t")).toEqual(["lock", "--role=ops"]);
      expect(await tctl.type("tctl users add x --roles=access,op\t")).toEqual(["users", "add", "x", "--roles=access,ops"]);
    } finally {
      tctl.close();
    }
  });
});
