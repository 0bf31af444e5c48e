import { mkdir, mkdtemp, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { stringify } from "yaml";
import { freePort } from "@gatehouse/core/testing";
import { githubConnector, startGithub, type Github, type GithubUser } from "../stand-ins/github.ts";
import { wholeLines } from "./lines.ts";
import { run, start, type Outcome, type RunOptions, type Running } from "./process.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
/** Built commands: what a user would run. */
export const tshPath = join(root, "packages/tsh/bin/tsh.js");
export const tctlPath = join(root, "packages/tctl/bin/tctl.js");
/** The scripted browser as a command. */
export const browserPath = join(root, "test/dist/browser.js");

/** What `tsh proxy --format=json` says when it is ready. */
export interface Readiness {
  readonly cluster: string;
  readonly ca_pin: string;
  readonly addresses: { readonly web: string; readonly kube?: string; readonly ssh?: string; readonly admin: string };
}

/** A person at their own machine: own home, own profile, own kubeconfig. */
export interface Person {
  readonly login: string;
  readonly home: string;
  readonly kubeconfig: string;
  /** Everything this person's commands see of the environment. */
  readonly env: NodeJS.ProcessEnv;
  tsh(args: readonly string[], options?: RunOptions): Promise<Outcome>;
  /** What {@link Person.logIn} runs, but for `--force` and more arguments. */
  readonly loginArgs: readonly string[];
  tctl(args: readonly string[], options?: RunOptions): Promise<Outcome>;
  /** `kubectl`, or one of its versions by name (`kubectl.1.27`). */
  kubectl(args: readonly string[], options?: RunOptions & { readonly binary?: string }): Promise<Outcome>;
  /** `tsh login` through GitHub with a scripted browser; throws what it said where it fails. */
  logIn(args?: readonly string[]): Promise<Outcome>;
}

/** A gateway as a process, a stand-in GitHub, and people. */
export interface World {
  readonly folder: string;
  readonly dataDir: string;
  readonly github: Github;
  readonly gateway: Running;
  readonly ready: Readiness;
  /** `host:port` of the web listener: what `--proxy` takes. */
  readonly proxy: string;
  /** File with the gateway's CA certificate. */
  readonly caFile: string;
  /** `tctl` as the administrator on the gateway's host. */
  tctl(args: readonly string[], options?: RunOptions): Promise<Outcome>;
  person(login: string): Promise<Person>;
  /** Stops the gateway and starts it again on the same data and addresses. */
  restart(signal?: NodeJS.Signals): Promise<void>;
  /** The audit log so far, of all its days, but for its checkpoints, which come by the clock. */
  events(): Promise<readonly Readonly<Record<string, unknown>>[]>;
  close(): Promise<void>;
}

/** What a world is made of. */
export interface WorldOptions {
  /** Kubeconfig with the gateway's own credentials; none turns the Kubernetes proxy off. */
  readonly kubeconfig?: string | undefined;
  readonly users?: readonly GithubUser[];
  /** `spec` of the connector beyond client id, secret and addresses. */
  readonly connector?: Readonly<Record<string, unknown>>;
  /** Changes `teleport.yaml` before it is written. */
  readonly config?: (config: Config) => void;
  readonly clusterName?: string;
  /** For Node itself, which runs the gateway. */
  readonly nodeArgs?: readonly string[];
}

interface Config {
  teleport: Record<string, unknown>;
  auth_service: Record<string, unknown>;
  proxy_service: Record<string, unknown> & { kubernetes?: Record<string, unknown> };
}

/** Members of `octocats/developers` and `octocats/viewers`, an admin, and someone in no mapped team. */
export const people: readonly GithubUser[] = [
  { login: "ana", id: 1001, teams: [{ organization: "octocats", organizationId: 1, team: "developers", teamId: 11 }] },
  { login: "bo", id: 1002, teams: [{ organization: "octocats", organizationId: 1, team: "viewers", teamId: 12 }] },
  { login: "cy", id: 1003, teams: [{ organization: "octocats", organizationId: 1, team: "admins", teamId: 13 }] },
  { login: "di", id: 1004, teams: [{ organization: "octocats", organizationId: 1, team: "web", teamId: 14 }] },
  { login: "ed", id: 1005, teams: [{ organization: "octocats", organizationId: 1, team: "hosts", teamId: 15 }] },
];

/** What {@link people}'s teams may do. */
export const teams = {
  teams_to_logins: [
    { organization: "octocats", team: "developers", logins: ["ana", "deploy"], kubernetes_groups: ["developers"] },
    { organization: "octocats", team: "viewers", logins: [], kubernetes_groups: ["viewers"] },
    { organization: "octocats", team: "hosts", logins: ["ed"] },
  ],
  teams_to_roles: [{ organization: "octocats", team: "admins", roles: ["admin"] }],
};

/** The base of every child's environment: nothing of the machine's login, keychain or cluster leaks in. */
export function cleanEnv(extra: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv {
  return { PATH: process.env["PATH"], LANG: "C.UTF-8", NODE_NO_WARNINGS: "1", TSH_AGENT: "off", ...extra };
}

/** Brings a world up. The caller closes it. */
export async function createWorld(options: WorldOptions = {}): Promise<World> {
  const folder = await mkdtemp(join(tmpdir(), "gatehouse-"));
  const dataDir = join(folder, "data");
  const configFile = join(folder, "teleport.yaml");
  const caFile = join(folder, "ca.pem");
  const github = await startGithub({ users: options.users ?? people });
  let gateway: Running | undefined;

  async function boot(): Promise<Readiness> {
    gateway = start(process.execPath, [...(options.nodeArgs ?? []), tshPath, "proxy", "-c", configFile, "--format=json"], { env: cleanEnv({ HOME: folder }) });
    const [line] = await gateway.waitFor(/^\{.*"ca_pin".*\}$/m, "stdout");
    return JSON.parse(line) as Readiness;
  }

  const config: Config = {
    teleport: { data_dir: dataDir },
    auth_service: { cluster_name: options.clusterName ?? "example", listen_addr: "127.0.0.1:0", authentication: { type: "github" } },
    proxy_service: {
      web_listen_addr: "127.0.0.1:0",
      ...(options.kubeconfig === undefined
        ? {}
        : { kubernetes: { enabled: true, listen_addr: "127.0.0.1:0", kubeconfig_file: options.kubeconfig } }),
    },
  };
  options.config?.(config);
  // Where the web has a port of its own, so has SSH.
  config.proxy_service["ssh_listen_addr"] ??= "127.0.0.1:0";
  // Not any ports: a gateway that starts again has to find its own free.
  for (const [place, key] of [[config.auth_service, "listen_addr"], [config.proxy_service, "web_listen_addr"], [config.proxy_service, "ssh_listen_addr"], [config.proxy_service.kubernetes ?? {}, "listen_addr"]] as const) {
    if (place[key] === "127.0.0.1:0") place[key] = `127.0.0.1:${String(await freePort())}`;
  }

  const tctl: World["tctl"] = (args, runOptions) =>
    run(process.execPath, [tctlPath, "--data-dir", dataDir, ...args], { env: cleanEnv({ HOME: folder }), ...runOptions });

  try {
    await writeFile(configFile, stringify(config));
    const ready = await boot();
    // Later starts keep the addresses, so that profiles and kubeconfigs stay true.
    config.proxy_service["web_listen_addr"] = ready.addresses.web;
    config.auth_service["listen_addr"] = ready.addresses.admin;
    if (ready.addresses.ssh !== undefined) config.proxy_service["ssh_listen_addr"] = ready.addresses.ssh;
    if (config.proxy_service.kubernetes && ready.addresses.kube !== undefined) config.proxy_service.kubernetes["listen_addr"] = ready.addresses.kube;
    await writeFile(configFile, stringify(config));

    const exported = await tctl(["auth", "export", "--type=host", "--format=pem"]);
    if (exported.code !== 0) throw new Error(`tctl auth export: ${exported.stderr}`);
    await writeFile(caFile, exported.stdout);

    const connector = githubConnector(github, ready.addresses.web, { ...teams, ...options.connector });
    const created = await tctl(["create", "-f", "-"], { input: stringify(connector) });
    if (created.code !== 0) throw new Error(`tctl create github: ${created.stderr}`);

    const persons = new Map<string, Promise<Person>>();
    const world: World = {
      folder,
      dataDir,
      github,
      get gateway() {
        if (!gateway) throw new Error("the gateway is not running");
        return gateway;
      },
      ready,
      proxy: ready.addresses.web,
      caFile,
      tctl,
      person(login) {
        const known = persons.get(login) ?? createPerson(login, join(folder, "people", login), world);
        persons.set(login, known);
        return known;
      },
      async restart(signal) {
        await gateway?.stop(signal);
        await boot();
      },
      async events() {
        const texts = await Promise.all((await logFiles(join(dataDir, "log"))).map((path) => readFile(path, "utf8")));
        return texts.flatMap(wholeLines).map((line) => JSON.parse(line) as Record<string, unknown>).filter(({ event }) => event !== "audit.checkpoint");
      },
      async close() {
        await gateway?.stop();
        await github.close();
        // A plugin that kubectl started may outlive it by a moment.
        await rm(folder, { recursive: true, force: true, maxRetries: 10 });
      },
    };
    return world;
  } catch (error) {
    await gateway?.stop();
    await github.close();
    await rm(folder, { recursive: true, force: true });
    throw error;
  }
}

/** Files of the audit log, one a day, oldest first. */
async function logFiles(folder: string): Promise<readonly string[]> {
  const files = (await readdir(folder, { recursive: true })).filter((name) => /^[^/]+\/[^/]+\.log$/.test(name));
  return files.sort().map((name) => join(folder, name));
}

async function createPerson(login: string, home: string, world: World): Promise<Person> {
  await mkdir(home, { recursive: true });
  const kubeconfig = join(home, "kubeconfig");
  const env = cleanEnv({
    HOME: home,
    KUBECONFIG: kubeconfig,
    BROWSER: `${process.execPath} ${browserPath} %s`,
    BROWSER_CA: world.caFile,
    BROWSER_USER: login,
  });
  const person: Person = {
    login,
    home,
    kubeconfig,
    env,
    tsh: (args, options) => run(process.execPath, [tshPath, ...args], { env, ...options }),
    tctl: (args, options) => run(process.execPath, [tctlPath, ...args], { env, ...options }),
    kubectl: (args, { binary = "kubectl", ...options } = {}) => run(binary, args, { env, ...options }),
    loginArgs: ["login", `--proxy=${world.proxy}`, "--auth=github", `--ca-pin=${world.ready.ca_pin}`, "--keystore=file"],
    async logIn(args = []) {
      const outcome = await person.tsh([...person.loginArgs, "--force", ...args]);
      if (outcome.code !== 0) throw new Error(`tsh login as ${login} failed with ${String(outcome.code)}:\n${outcome.stdout}${outcome.stderr}\n${world.gateway.stderr()}`);
      return outcome;
    },
  };
  return person;
}
