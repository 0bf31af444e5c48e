import { chmod, mkdir, readFile, readdir, rm, symlink, unlink, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { rootCertificates } from "node:tls";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { askAgent } from "@gatehouse/core/client/local-agent";
import { createClientWorld, newMachine, type Machine } from "../support/machine.ts";
import { run, type Outcome } from "../support/process.ts";
import { cleanEnv, tshPath, type World } from "../support/world.ts";

interface Check {
  readonly check: string;
  readonly outcome: string;
  readonly detail: string;
  readonly fix?: string;
}

let world: World;
beforeAll(async () => {
  world = await createClientWorld(["prod", "staging"]);
});
afterAll(() => world.close());

const doctor = (machine: Machine, env: NodeJS.ProcessEnv = {}, ...args: string[]): Promise<Outcome> => run(process.execPath, [tshPath, "doctor", ...args], { env: { ...machine.env, ...env } });
/** The findings by check, and the exit code. */
async function examined(machine: Machine, env: NodeJS.ProcessEnv = {}, ...args: string[]): Promise<{ readonly code: number | null; readonly found: Readonly<Record<string, Check>> }> {
  const { code, stdout, stderr } = await doctor(machine, env, "--format=json", ...args);
  expect(stderr).toBe("");
  const { checks } = JSON.parse(stdout) as { checks: readonly Check[] };
  return { code, found: Object.fromEntries(checks.map((each) => [each.check, each])) };
}
/** A program of this name that is found before every other. */
async function fake(machine: Machine, name: string, script: string): Promise<NodeJS.ProcessEnv> {
  const folder = join(machine.home, "bin");
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, name), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  return { PATH: `${folder}:${process.env["PATH"] ?? ""}` };
}
const tshHome = (machine: Machine): string => join(machine.home, ".tsh");
const profileOf = (machine: Machine): string => join(tshHome(machine), `${world.proxy.replace(":", "_")}.yaml`);
const keyOf = (machine: Machine): string => join(tshHome(machine), "keys", `${world.proxy.replace(":", "_")}.json`);
const contains = (text: string): unknown => expect.stringContaining(text);

describe("tsh doctor", () => {
  it("works where nobody is logged in, without kubectl, ssh and a network, and says to log in: exit code 3", async () => {
    const nobody = await newMachine(world, "ana");
    const { code, found } = await examined(nobody, { PATH: "/nowhere" });
    expect(code).toBe(3);
    expect(found["login"]).toMatchObject({ outcome: "failed", fix: "tsh login --proxy=<gateway>" });
    for (const check of ["gateway", "clock", "session", "agent", "kubeconfig", "kubectl", "ssh", "ssh config", "files"]) expect([check, found[check]?.outcome]).toEqual([check, "skipped"]);
    expect(found["node"]).toMatchObject({ outcome: "ok", detail: contains(process.version) });
  });

  it("looks at a gateway that nobody is logged in to, and says where none answers: exit code 1", async () => {
    const nobody = await newMachine(world, "ana");
    const unknown = await examined(nobody, {}, `--proxy=${world.proxy}`);
    expect(unknown).toMatchObject({ code: 1, found: { gateway: { outcome: "failed" }, login: { fix: `tsh login --proxy=${world.proxy}` } } });
    const gone = await examined(nobody, {}, "--proxy=127.0.0.1:1");
    expect(gone).toMatchObject({ code: 1, found: { gateway: { outcome: "failed", detail: "cannot reach the gateway 127.0.0.1:1: the connection was refused" }, clock: { outcome: "skipped" } } });
    expect(await doctor(nobody, {}, "--proxy=a b")).toMatchObject({ code: 2, stdout: "" });
  });

  it("gives up on a gateway that says nothing", async () => {
    const nobody = await newMachine(world, "ana");
    const silent = createServer(() => undefined).listen(0, "127.0.0.1");
    await new Promise((resolve) => silent.once("listening", resolve));
    const { port } = silent.address() as AddressInfo;
    const { code, found } = await examined(nobody, {}, `--proxy=127.0.0.1:${String(port)}`);
    silent.close();
    expect([code, found["gateway"]]).toMatchObject([1, { outcome: "failed", detail: contains("did not answer") }]);
  });

  describe("of a login", () => {
    let ana: Machine;
    beforeEach(async () => {
      ana = await newMachine(world, "ana");
      expect(await ana.logIn()).toMatchObject({ code: 0 });
      await ana.tsh(["config", "--write"]);
    });

    it("finds nothing where nothing is wrong, a line each, without colours: exit code 0", async () => {
      const said = await doctor(ana);
      expect(said, said.stdout).toMatchObject({ code: 0, stderr: "" });
      for (const check of ["gateway", "clock", "login", "session", "keystore", "kubeconfig", "ssh config", "files", "node"]) expect(said.stdout).toMatch(new RegExp(`^✔ ${check} `, "m"));
      expect(said.stdout).toContain("- agent       turned off: TSH_AGENT=off\n");
      expect(said.stdout).not.toMatch(/\u001b|^✖/m);
      const yaml = await doctor(ana, {}, "--format=yaml");
      expect(yaml.stdout).toMatch(/^outcome: ok\nchecks:\n {2}- check: gateway\n/);
    });

    it("tells a login that has ended, at the gateway or here: exit code 3", async () => {
      const record = JSON.parse(await readFile(keyOf(ana), "utf8")) as Record<string, unknown>;
      await writeFile(keyOf(ana), JSON.stringify({ ...record, expires: Date.now() - 60_000 }));
      expect(await examined(ana)).toMatchObject({ code: 3, found: { login: { outcome: "failed", detail: contains("ended 1 min"), fix: `tsh login --proxy=${world.proxy} --auth=github` }, session: { outcome: "skipped" } } });
      await writeFile(keyOf(ana), JSON.stringify({ ...record, expires: Date.now() + 300_000 }));
      expect(await examined(ana)).toMatchObject({ code: 0, found: { login: { outcome: "warning" } } });
      await writeFile(keyOf(ana), JSON.stringify(record));
      const elsewhere = await newMachine(world, "ana");
      await mkdir(join(tshHome(elsewhere), "keys"), { recursive: true, mode: 0o700 });
      await writeFile(keyOf(elsewhere), JSON.stringify(record), { mode: 0o600 });
      await writeFile(profileOf(elsewhere), await readFile(profileOf(ana)), { mode: 0o600 });
      await writeFile(join(tshHome(elsewhere), `${world.proxy.replace(":", "_")}.ca.pem`), await readFile(world.caFile), { mode: 0o600 });
      await elsewhere.tsh(["logout", `--proxy=${world.proxy}`]);
      expect(await examined(ana)).toMatchObject({ code: 3, found: { login: { outcome: "ok" }, session: { outcome: "failed", detail: contains("does not take it any more") } } });
    });

    it("tells a certificate that is over another key, a damaged profile, and a keystore that cannot be read", async () => {
      const text = await readFile(keyOf(ana), "utf8");
      const bo = await newMachine(world, "bo");
      await bo.logIn();
      const other = JSON.parse(await readFile(keyOf(bo), "utf8")) as { privateKey: string };
      await writeFile(keyOf(ana), JSON.stringify({ ...(JSON.parse(text) as object), privateKey: other.privateKey }));
      expect((await examined(ana)).found["login"]).toMatchObject({ outcome: "failed", detail: contains("another key"), fix: contains("--force") });
      await writeFile(keyOf(ana), text);
      await chmod(keyOf(ana), 0o644);
      expect(await examined(ana)).toMatchObject({ code: 1, found: { keystore: { outcome: "failed", fix: contains("chmod 600") }, files: { outcome: "failed", detail: contains("can be read or changed by others") }, login: { outcome: "skipped" } } });
      await chmod(keyOf(ana), 0o600);
      await writeFile(profileOf(ana), "web_proxy_addr: [");
      expect(await examined(ana)).toMatchObject({ code: 1, found: { login: { outcome: "failed", detail: contains("is damaged") } } });
    });

    it("tells a gateway that is not the one that is pinned", async () => {
      await writeFile(join(tshHome(ana), `${world.proxy.replace(":", "_")}.ca.pem`), rootCertificates[0] ?? "");
      expect(await examined(ana)).toMatchObject({ code: 1, found: { gateway: { outcome: "failed", detail: contains("cannot reach the gateway"), fix: expect.any(String) as string }, clock: { outcome: "skipped" } } });
    });

    it("tells what is wrong with kubeconfig and kubectl", async () => {
      const launcher = join(tshHome(ana), "bin", "tsh");
      const script = await readFile(launcher);
      await unlink(launcher);
      expect((await examined(ana)).found["kubeconfig"]).toMatchObject({ outcome: "failed", detail: contains("which is not there"), fix: "tsh kube login --all" });
      await writeFile(launcher, "#!/bin/sh\necho broken >&2\nexit 1\n", { mode: 0o700 });
      expect((await examined(ana)).found["kubeconfig"]).toMatchObject({ outcome: "failed", detail: contains("does not run: broken") });
      await writeFile(launcher, script, { mode: 0o700 });
      await mkdir(join(ana.home, ".kube"));
      const kuberc = (policy: string): Promise<void> => writeFile(join(ana.home, ".kube", "kuberc"), `apiVersion: kubectl.config.k8s.io/v1beta1\nkind: Preference\n${policy}`);
      await kuberc("credentialPluginPolicy: Allowlist\ncredentialPluginAllowlist:\n- name: other\n");
      expect((await examined(ana)).found["kubeconfig"]).toMatchObject({ outcome: "failed", detail: contains("does not allow it") });
      await kuberc(`credentialPluginPolicy: Allowlist\ncredentialPluginAllowlist:\n- name: ${launcher}\n`);
      expect((await examined(ana)).found["kubeconfig"]).toMatchObject({ outcome: "ok" });
      await writeFile(ana.kubeconfig, "{");
      expect((await examined(ana)).found["kubeconfig"]).toMatchObject({ outcome: "failed", detail: contains("is not a kubeconfig") });
      await rm(ana.kubeconfig);
      expect((await examined(ana)).found["kubeconfig"]).toMatchObject({ outcome: "warning", detail: "no context for prod, staging" });
      expect((await examined(ana, await fake(ana, "kubectl", `echo '{"clientVersion": {"gitVersion": "v1.26.9"}}'`))).found["kubectl"]).toMatchObject({ outcome: "warning", detail: contains("older than 1.27") });
      expect((await examined(ana, await fake(ana, "kubectl", `echo '{"clientVersion": {"gitVersion": "v1.33.1"}}'`))).found["kubectl"]).toMatchObject({ outcome: "ok" });
      expect((await examined(ana, await fake(ana, "kubectl", "exec sleep 60"))).found["kubectl"]).toMatchObject({ outcome: "failed" });
    });

    it("tells what is wrong with ssh and its configuration", async () => {
      const config = join(ana.home, ".ssh", "config");
      const text = await readFile(config, "utf8");
      await writeFile(config, text.replace("StrictHostKeyChecking yes", "StrictHostKeyChecking no"));
      expect((await examined(ana)).found["ssh config"]).toMatchObject({ outcome: "warning", fix: "tsh config --write" });
      await writeFile(config, text.replace(/^# <<< .*$/m, ""));
      expect((await examined(ana)).found["ssh config"]).toMatchObject({ outcome: "failed", detail: contains("do not mark one block") });
      await writeFile(config, text);
      await writeFile(join(tshHome(ana), `${world.proxy.replace(":", "_")}.known_hosts`), "");
      expect((await examined(ana)).found["ssh config"]).toMatchObject({ outcome: "warning", detail: contains("whom to believe") });
      expect(await ana.tsh(["config", "--write", "--agent", "--host=web-*"])).toMatchObject({ code: 0 });
      expect((await examined(ana)).found["ssh config"]).toMatchObject({ outcome: "ok", detail: contains("leads to *.example, web-*") });
      await rm(config);
      expect((await examined(ana)).found["ssh config"]).toMatchObject({ outcome: "skipped" });
      expect((await examined(ana, await fake(ana, "ssh", "echo OpenSSH_7.4p1, OpenSSL 1.0.2k >&2"))).found["ssh"]).toMatchObject({ outcome: "warning", detail: contains("older than 7.8") });
      expect((await examined(ana, await fake(ana, "ssh", "echo dropbear >&2"))).found["ssh"]).toMatchObject({ outcome: "warning" });
    });

    it("tells an agent whose place is not this person's alone, one that is locked, and one that runs", async () => {
      const runtime = join(ana.home, "runtime");
      await mkdir(runtime, { mode: 0o700 });
      const env = { TSH_AGENT: "", XDG_RUNTIME_DIR: runtime };
      expect((await examined(ana, env)).found["agent"]).toMatchObject({ outcome: "skipped", detail: contains("none runs") });
      const tsh = (...args: string[]): Promise<Outcome> => run(process.execPath, [tshPath, ...args], { env: { ...ana.env, ...env } });
      expect(await tsh("agent", "start")).toMatchObject({ code: 0 });
      try {
        expect((await examined(ana, env)).found["agent"]).toMatchObject({ outcome: "ok", detail: contains("runs (process") });
        const [mine = ""] = await readdir(runtime);
        const directory = join(runtime, mine);
        const place = { directory, control: join(directory, "agent.sock"), ssh: join(directory, "ssh.sock") };
        expect(await askAgent(place, "lock", { passphrase: "x" })).toEqual({});
        expect(await examined(ana, env)).toMatchObject({ code: 3, found: { agent: { outcome: "warning", fix: "tsh agent unlock" }, keystore: { outcome: "failed", fix: contains("tsh agent unlock") } } });
        expect(await askAgent(place, "unlock", { passphrase: "x" })).toEqual({});
        await chmod(place.ssh, 0o666);
        expect((await examined(ana, env)).found["agent"]).toMatchObject({ outcome: "failed", detail: contains("is open to others") });
      } finally {
        await tsh("agent", "stop");
      }
      const [name = ""] = await readdir(runtime);
      await rm(join(runtime, name), { recursive: true });
      await symlink("/tmp", join(runtime, name));
      expect((await examined(ana, env)).found["agent"]).toMatchObject({ outcome: "failed", detail: contains("is a link") });
    });

    it("tells a clock that is off, and a home that others may look into", async () => {
      await chmod(tshHome(ana), 0o755);
      expect((await examined(ana)).found["files"]).toMatchObject({ outcome: "warning", fix: contains("chmod go-rwx") });
      await chmod(tshHome(ana), 0o700);
      const code = `const now = Date.now; Date.now = () => now() - 10 * 60_000;`;
      await writeFile(join(ana.home, "clock.cjs"), code);
      const { found } = await examined(ana, { NODE_OPTIONS: `--require=${join(ana.home, "clock.cjs")}` });
      expect(found["clock"]).toMatchObject({ outcome: "failed", detail: expect.stringMatching(/^this machine's clock is (?:9|10) min.* behind the gateway's$/) as string, fix: contains("set this machine's clock") });
    });
  });

  it("tells a keychain that is not there", async () => {
    const machine = await newMachine(world, "ana");
    const { code, found } = await examined(machine, cleanEnv({ HOME: machine.home, DBUS_SESSION_BUS_ADDRESS: "unix:path=/nowhere" }));
    expect([code, found["keystore"]]).toMatchObject([3, { outcome: "warning", detail: contains("no keychain here") }]);
  });
});
