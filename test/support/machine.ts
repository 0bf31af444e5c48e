import { mkdir, readFile, readdir, writeFile } from "node:fs/promises";
import { request } from "node:https";
import { join } from "node:path";
import { stringify } from "yaml";
import { unlessGone } from "./gone.ts";
import { run, start, type Outcome, type RunOptions, type Running } from "./process.ts";
import { createWorld, tshPath, type World, type WorldOptions } from "./world.ts";

/** A machine of a person: own home, own kubeconfig, own environment. One person may have several. */
export interface Machine {
  readonly home: string;
  readonly kubeconfig: string;
  readonly env: NodeJS.ProcessEnv;
  tsh(args: readonly string[], options?: RunOptions): Promise<Outcome>;
  start(args: readonly string[]): Running;
  /** A new `tsh login` through GitHub, whatever login is there, with the gateway's pin and a file keystore. */
  logIn(args?: readonly string[]): Promise<Outcome>;
  /** Text of every file below the home, by path; what goes meanwhile is left out. */
  files(): Promise<ReadonlyMap<string, string>>;
}

let count = 0;

/** A new machine of `login` in this world. */
export async function newMachine(world: World, login: string, extra: NodeJS.ProcessEnv = {}): Promise<Machine> {
  const person = await world.person(login);
  const home = join(world.folder, "machines", `${login}-${++count}`);
  await mkdir(home, { recursive: true });
  const kubeconfig = join(home, "kubeconfig");
  const env = { ...person.env, HOME: home, KUBECONFIG: kubeconfig, ...extra };
  const machine: Machine = {
    home,
    kubeconfig,
    env,
    tsh: (args, options) => run(process.execPath, [tshPath, ...args], { env, ...options }),
    start: (args) => start(process.execPath, [tshPath, ...args], { env }),
    logIn: (args = []) => machine.tsh(["login", `--proxy=${world.proxy}`, "--auth=github", `--ca-pin=${world.ready.ca_pin}`, "--keystore=file", "--force", ...args]),
    async files() {
      const found = new Map<string, string>();
      for (const entry of await readdir(home, { recursive: true, withFileTypes: true })) {
        const path = join(entry.parentPath, entry.name);
        const text = entry.isFile() ? await readFile(path, "latin1").catch(unlessGone) : undefined;
        if (text !== undefined) found.set(path, text);
      }
      return found;
    },
  };
  return machine;
}

/** A world whose Kubernetes clusters exist by name alone: enough for what a client sees of them. */
export async function createClientWorld(clusters: readonly string[], options: WorldOptions = {}): Promise<World> {
  const { mkdtemp } = await import("node:fs/promises");
  const { tmpdir } = await import("node:os");
  const kubeconfig = join(await mkdtemp(join(tmpdir(), "gatehouse-nowhere-")), "kubeconfig");
  await writeFile(
    kubeconfig,
    stringify({
      apiVersion: "v1",
      kind: "Config",
      clusters: [{ name: "nowhere", cluster: { server: "https://127.0.0.1:1", "insecure-skip-tls-verify": true } }],
      users: [{ name: "gateway", user: { token: "none" } }],
      contexts: [{ name: "nowhere", context: { cluster: "nowhere", user: "gateway" } }],
      "current-context": "nowhere",
    }),
    { mode: 0o600 },
  );
  return createWorld({
    kubeconfig,
    ...options,
    config(config) {
      const { kubernetes } = config.proxy_service;
      if (kubernetes) {
        delete kubernetes["kubeconfig_file"];
        kubernetes["clusters"] = clusters.map((name) => ({ name, kubeconfig_file: kubeconfig }));
      }
      options.config?.(config);
    },
  });
}

/** Invites a local user and sets the password as they would in the browser. */
export async function createLocalUser(world: World, name: string, password: string, roles = "access"): Promise<void> {
  const invited = await world.tctl(["users", "add", name, `--roles=${roles}`]);
  if (invited.code !== 0) throw new Error(`tctl users add: ${invited.stderr}`);
  const url = /https:\S+/.exec(invited.stdout + invited.stderr)?.[0];
  if (url === undefined) throw new Error(`no link in ${invited.stdout}`);
  const ca = await readFile(world.caFile, "utf8");
  const body = new URLSearchParams({ password, repeat: password }).toString();
  const status = await new Promise<number>((resolve, reject) => {
    const sent = request(url, { method: "POST", ca, headers: { "content-type": "application/x-www-form-urlencoded" } }, (response) => {
      response.resume().on("end", () => resolve(response.statusCode ?? 0));
    });
    sent.once("error", reject).end(body);
  });
  if (status !== 200) throw new Error(`setting the password was answered with ${status}`);
}
