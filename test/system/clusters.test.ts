import { execFile } from "node:child_process";
import { mkdtemp, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { parse, parseAllDocuments, stringify } from "yaml";
import { kubeServerName } from "@gatehouse/core/api";
import { startKubeApi, type KubeApi } from "../stand-ins/kube-api.ts";
import { howToGetACluster, realCluster } from "../support/cluster.ts";
import { run, type Outcome } from "../support/process.ts";
import { cleanEnv, createWorld, tctlPath, type Person, type World } from "../support/world.ts";

const cluster = realCluster();
if (!cluster) console.warn(howToGetACluster);

interface Named {
  readonly name: string;
}
interface Kubeconfig {
  readonly "current-context"?: string;
  readonly clusters: readonly (Named & { readonly cluster: Record<string, unknown> })[];
  readonly contexts: readonly (Named & { readonly context: { readonly cluster: string; readonly user: string } })[];
  readonly users: readonly (Named & { readonly user: Record<string, unknown> })[];
}

/** The one context of a kubeconfig under another name. */
function renamed(text: string, name: string): Kubeconfig {
  const config = parse(text) as Kubeconfig;
  const context = config.contexts.find((one) => one.name === config["current-context"])!.context;
  return {
    clusters: [{ name, cluster: config.clusters.find((one) => one.name === context.cluster)!.cluster }],
    contexts: [{ name, context: { cluster: name, user: name } }],
    users: [{ name, user: config.users.find((one) => one.name === context.user)!.user }],
  };
}

function merged(current: string, ...parts: readonly Kubeconfig[]): string {
  return stringify({ apiVersion: "v1", kind: "Config", "current-context": current, clusters: parts.flatMap((part) => part.clusters), contexts: parts.flatMap((part) => part.contexts), users: parts.flatMap((part) => part.users) });
}

async function replace(path: string, text: string): Promise<void> {
  await writeFile(`${path}.new`, text, { mode: 0o600 });
  await rename(`${path}.new`, path);
}

const soon = (check: () => Promise<void>): Promise<void> => vi.waitFor(check, { interval: 500 });

interface Row {
  readonly name: string;
  readonly labels: Record<string, string>;
  readonly groups: readonly string[];
  readonly healthy: boolean;
  readonly problem?: string;
  readonly default: boolean;
  readonly context?: string;
  readonly selected: boolean;
}

describe.skipIf(!cluster)("several clusters behind one gateway", () => {
  const odd = "team/real:1@home";
  let world: World;
  let api: KubeApi;
  let ana: Person;
  let bo: Person;
  let kubeconfigFile: string;
  let parts: { readonly real: Kubeconfig; readonly standIn: Kubeconfig; readonly dead: Kubeconfig; readonly broken: Kubeconfig };
  const rows = async (person: Person, ...args: readonly string[]): Promise<readonly Row[]> => JSON.parse((await person.tsh(["kube", "ls", ...args, "--format=json"])).stdout) as readonly Row[];

  beforeAll(async () => {
    api = await startKubeApi();
    const folder = await mkdtemp(join(tmpdir(), "gatehouse-several-"));
    kubeconfigFile = join(folder, "kubeconfig");
    const standIn = renamed(api.kubeconfig, "stand-in");
    parts = {
      real: renamed(await readFile(cluster!.gatewayKubeconfig, "utf8"), odd),
      standIn,
      dead: { ...renamed(api.kubeconfig, "dead"), clusters: [{ name: "dead", cluster: { server: "https://127.0.0.1:1", "insecure-skip-tls-verify": true } }] },
      broken: { ...renamed(api.kubeconfig, "broken"), users: [{ name: "broken", user: { exec: { apiVersion: "client.authentication.k8s.io/v1", command: "/nonexistent/plugin", interactiveMode: "Never" } } }] },
    };
    await replace(kubeconfigFile, merged("stand-in", parts.real, parts.standIn, parts.dead, parts.broken));
    world = await createWorld({
      kubeconfig: kubeconfigFile,
      config: (config) => {
        config.teleport["diag_addr"] = "127.0.0.1:0";
        Object.assign(config.proxy_service.kubernetes!, { labels: { region: "eu" }, clusters: [{ name: "prod", context: "stand-in", labels: { env: "prod" } }] });
      },
    });
    ana = await world.person("ana");
    bo = await world.person("bo");
    await Promise.all([ana.logIn(), bo.logIn()]);
  });
  afterAll(async () => {
    await world.close();
    await api.close();
    await rm(join(kubeconfigFile, ".."), { recursive: true, force: true });
  });

  it("starts with two of four that work, and says what is wrong with the others", async () => {
    const ready = world.ready as unknown as { readonly kubernetes: readonly { readonly name: string; readonly healthy: boolean; readonly problem?: string }[]; readonly addresses: { readonly diag: string } };
    expect(ready.kubernetes).toMatchObject([
      { name: "prod", healthy: true },
      { name: "team-real-1-home", healthy: true },
      { name: "dead", healthy: false, problem: expect.stringContaining("ECONNREFUSED") as string },
      { name: "broken", healthy: false, problem: expect.stringMatching(/kubeconfig .* cannot be used: its credential plugin failed.*\/nonexistent\/plugin/) as string },
    ]);
    const status = await world.tctl(["status"]);
    expect(status.stdout).toMatch(/prod ✔\n.*team-real-1-home ✔\n.*dead ✖ .*ECONNREFUSED.*\n.*broken ✖ .*plugin failed/);
    const metrics = await (await fetch(`http://${ready.addresses.diag}/metrics`)).text();
    expect(metrics).toMatch(/gatehouse_kubernetes_up\{cluster="prod"\} 1\n.*cluster="team-real-1-home"\} 1\n.*cluster="dead"\} 0\n.*cluster="broken"\} 0/);
    expect((await fetch(`http://${ready.addresses.diag}/readyz`)).status).toBe(200);
  });

  it("lists them with labels, health and groups, and by label", async () => {
    expect(await rows(ana)).toMatchObject([
      { name: "prod", labels: { env: "prod", region: "eu" }, groups: ["developers"], healthy: true, default: true, context: "example-prod", selected: true },
      { name: "team-real-1-home", labels: { region: "eu" }, healthy: true, default: false, context: "example-team-real-1-home", selected: false },
      { name: "dead", healthy: false, problem: "its API server cannot be reached (ECONNREFUSED)" },
      { name: "broken", healthy: false, problem: "the gateway could not get credentials for it" },
    ]);
    expect((await rows(ana, "env=prod")).map(({ name }) => name)).toEqual(["prod"]);
    expect((await rows(ana, "region=eu,env=prod")).map(({ name }) => name)).toEqual(["prod"]);
    const table = (await ana.tsh(["kube", "ls"])).stdout;
    expect(table).toMatch(/^ +CLUSTER +LABELS +STATE +GROUPS +CONTEXT\n\* +prod +env=prod,region=eu +✔ +developers +example-prod\n/);
    expect(table).toMatch(/broken +region=eu +✖ the gateway could not get credentials for it +developers/);
    expect(table).not.toContain("/nonexistent");
    expect(parse((await ana.tsh(["kube", "ls", "--format=yaml"])).stdout)).toHaveLength(4);
    const none = await ana.tsh(["kube", "ls", "env=none"]);
    expect([none.code, none.stdout.split("\n").length, none.stderr]).toEqual([0, 2, "none of 4 clusters has env=none\n"]);
  });

  it("kubectl with each context reaches the right one", async () => {
    const [standIn, real] = await Promise.all(["example-prod", "example-team-real-1-home"].map((context) => ana.kubectl(["--context", context, "get", "pods", "-o", "name"])));
    expect(real!.stdout).toContain("pod/shell\n");
    expect(standIn!.code).toBe(0);
    expect(standIn!.stdout).not.toBe(real!.stdout);
    expect(api.requests.some(({ user, url }) => user === "ana" && url.includes("/pods"))).toBe(true);
    const config = parse(await readFile(ana.kubeconfig, "utf8")) as Kubeconfig;
    expect(config.clusters.find(({ name }) => name === "example-team-real-1-home")?.cluster["tls-server-name"]).toBe(kubeServerName("team-real-1-home"));
    const exec = await ana.kubectl(["--context", "example-team-real-1-home", "exec", "shell", "--", "echo", "hello"]);
    expect([exec.code, exec.stdout]).toEqual([0, "hello\n"]);
    const events = await world.events();
    expect(new Set(events.filter(({ event, user }) => event === "kube.request" && user === "ana").map((event) => event["kubernetes_cluster"]))).toEqual(new Set(["prod", "team-real-1-home"]));
  });

  it("answers for one that is down with 502, and for one without credentials with 503, and the reason", async () => {
    const dead = await ana.kubectl(["--context", "example-dead", "get", "pods", "-v=6"]);
    expect(dead.stderr).toContain('"dead" could not be reached (ECONNREFUSED)');
    const broken = await ana.kubectl(["--context", "example-broken", "get", "pods"]);
    expect(broken.code).toBe(1);
    expect(broken.stderr).toContain('Kubernetes cluster "broken" cannot be used now: the gateway could not get credentials for it');
    expect((await ana.kubectl(["--context", "example-prod", "get", "pods"])).code).toBe(0);
  });

  it("tsh kube login chooses one, knows odd names, and says what is wrong", async () => {
    const chosen = await ana.tsh(["kube", "login", "team-real-1-home"]);
    expect(chosen.stderr).toBe("✔ kubectl now talks to team-real-1-home as ana\n");
    expect((await ana.kubectl(["get", "pods", "-o", "name"])).stdout).toContain("pod/shell\n");
    expect((await ana.tsh(["kube", "login", "example-prod"])).stderr).toBe("✔ kubectl now talks to prod as ana\n");
    expect((await ana.tsh(["kube", "login", "broken"])).stderr).toMatch(/now talks to broken as ana\n {2}it does not work now: the gateway could not get credentials for it\n/);
    const unknown = await ana.tsh(["kube", "login", "prdo"]);
    expect([unknown.code, unknown.stderr]).toEqual([5, expect.stringContaining('knows no Kubernetes cluster "prdo"; did you mean "prod"?')]);
    const escape = await ana.tsh(["kube", "login", "a\u001b[31mb"]);
    expect([escape.code, escape.stderr.includes("\u001b[31m")]).toEqual([5, false]);
    for (const wrong of [["kube", "login"], ["kube", "login", "prod", "--all"], ["kube", "login", "--nosuch"], ["kube", "ls", "env"], ["kube", "ls", "--nosuch"], ["kube", "ls", "=x"]]) {
      expect([wrong, (await ana.tsh(wrong)).code]).toEqual([wrong, 2]);
    }
    expect((await ana.tsh(["kube", "login", "prod"])).code).toBe(0);
  });

  it("adds one, or all that a person may use, and logout removes just those", async () => {
    const own = "apiVersion: v1\nkind: Config\nclusters:\n- cluster: {server: 'https://mine'}\n  name: mine\ncontexts:\n- context: {cluster: mine, user: mine}\n  name: mine\ncurrent-context: mine\nusers:\n- name: mine\n  user: {}\n";
    const di = await world.person("bo");
    await writeFile(di.kubeconfig, own);
    expect((await di.tsh(["kube", "login", "prod"])).code).toBe(0);
    const contexts = async (): Promise<string[]> => (parse(await readFile(di.kubeconfig, "utf8")) as Kubeconfig).contexts.map(({ name }) => name);
    expect(await contexts()).toEqual(["mine", "example-prod"]);
    await writeFile(di.kubeconfig, own);
    const all = await di.tsh(["kube", "login", "--all"]);
    expect(all.stderr).toContain("✔ 4 contexts: example-prod, example-team-real-1-home, example-dead, example-broken in");
    expect(all.stderr).toContain("kubectl talks to mine");
    expect(await contexts()).toHaveLength(5);
    expect((await di.tsh(["logout"])).code).toBe(0);
    expect(await readFile(di.kubeconfig, "utf8")).toBe(own);
    await rm(di.kubeconfig);
    await di.logIn();
  });

  it("roles choose clusters by label; without a group there login ends with 4 and the reason", async () => {
    const role = (await world.tctl(["get", "roles/access"])).stdout;
    const denied = parse(role) as { spec: { deny: Record<string, unknown>; allow: Record<string, unknown> } };
    denied.spec.allow["kubernetes_labels"] = { env: "prod" };
    expect((await world.tctl(["create", "-f", "-"], { input: stringify(denied) })).code).toBe(0);
    await soon(async () => expect((await rows(bo)).map(({ groups, name }) => (groups.length > 0 ? name : ""))).toEqual(["prod", "", "", ""]));
    const refused = await bo.tsh(["kube", "login", "team-real-1-home"]);
    expect([refused.code, refused.stderr]).toEqual([4, expect.stringContaining('you may not use Kubernetes cluster "team-real-1-home": ')]);
    expect((await bo.kubectl(["--context", "example-team-real-1-home", "get", "pods"])).stderr).toMatch(/Forbidden|has no group in Kubernetes cluster/);
    // What is closed to a person goes from kubeconfig with the next login, and comes back.
    await bo.logIn();
    const contexts = async (): Promise<string[]> => (parse(await readFile(bo.kubeconfig, "utf8")) as Kubeconfig).contexts.map(({ name }) => name);
    expect(await contexts()).toEqual(["example-prod"]);
    expect((await world.tctl(["create", "-f", "-"], { input: role })).code).toBe(0);
    await soon(async () => expect((await bo.tsh(["kube", "login", "--all"])).stderr).toContain("4 contexts"));
    expect(await contexts()).toHaveLength(4);
  });

  it("heals when the kubeconfig does; clusters appear and vanish without a restart, and login follows", async () => {
    const healed = { ...parts.broken, users: renamed(api.kubeconfig, "broken").users };
    await replace(kubeconfigFile, merged("stand-in", parts.real, parts.standIn, healed, renamed(api.kubeconfig, "later")));
    await soon(async () => expect((await rows(ana)).map(({ healthy, name }) => [name, healthy])).toEqual([["prod", true], ["team-real-1-home", true], ["broken", true], ["later", true]]));
    expect((await ana.kubectl(["--context", "example-broken", "get", "pods"])).code).toBe(0);
    expect((await ana.kubectl(["--context", "example-dead", "get", "pods"])).stderr).toContain('there is no Kubernetes cluster "dead" here');
    await ana.logIn();
    const { contexts } = parse(await readFile(ana.kubeconfig, "utf8")) as Kubeconfig;
    expect(contexts.map(({ name }) => name).sort()).toEqual(["example-broken", "example-later", "example-prod", "example-team-real-1-home"]);
    // A file cut short by its writer costs nobody anything.
    await writeFile(kubeconfigFile, "apiVersion: v1\n");
    await soon(async () => expect((await world.tctl(["status"])).stdout).toMatch(/notes .*kubeconfig .* cannot be read: it has no contexts/));
    expect((await ana.kubectl(["--context", "example-later", "get", "pods"])).code).toBe(0);
    await replace(kubeconfigFile, merged("stand-in", parts.real, parts.standIn));
    await soon(async () => expect((await rows(ana)).map(({ name }) => name)).toEqual(["prod", "team-real-1-home"]));
  });
});

describe.skipIf(!cluster)("tctl kubeconfig create", () => {
  const namespace = `gh-test-${process.pid}`;
  const name = `gh-test-${process.pid}`;
  let folder: string;
  const admin = (args: readonly string[], options: { readonly env?: NodeJS.ProcessEnv; readonly cwd?: string } = {}): Promise<Outcome> =>
    run(process.execPath, [tctlPath, "kubeconfig", "create", ...args], { cwd: folder, env: cleanEnv({ HOME: folder, KUBECONFIG: cluster!.adminKubeconfig, ...options.env }), ...(options.cwd === undefined ? {} : { cwd: options.cwd }) });
  const own = [`--namespace=${namespace}`, `--name=${name}`, "--timeout=1s"];
  const kubectl = async (...args: readonly string[]): Promise<string> => (await promisify(execFile)("kubectl", ["--kubeconfig", cluster!.adminKubeconfig, ...args])).stdout;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "gatehouse-kubeconfig-create-"));
  });
  afterAll(async () => {
    await kubectl("delete", "clusterrole,clusterrolebinding", name, "--ignore-not-found");
    await kubectl("delete", "serviceaccount,secret", "--all", "-n", namespace, "--ignore-not-found");
    await kubectl("delete", "namespace", namespace, "--ignore-not-found", "--wait=false");
    // A cluster without a namespace controller leaves it half removed.
    const finalized = JSON.stringify({ apiVersion: "v1", kind: "Namespace", metadata: { name: namespace }, spec: { finalizers: [] } });
    await run("kubectl", ["--kubeconfig", cluster!.adminKubeconfig, "replace", "--raw", `/api/v1/namespaces/${namespace}/finalize`, "-f", "-"], { input: finalized });
    await rm(folder, { recursive: true, force: true });
  });

  it("prints manifests that kubectl applies unchanged, touching nothing", async () => {
    const printed = await admin([...own, "--dry-run"], { env: { KUBECONFIG: "/nonexistent" } });
    expect([printed.code, printed.stderr]).toEqual([0, ""]);
    const kinds = parseAllDocuments(printed.stdout).map((document) => (document.toJS() as { kind: string }).kind);
    expect(kinds).toEqual(["Namespace", "ServiceAccount", "ClusterRole", "ClusterRoleBinding", "Secret"]);
    await expect(kubectl("get", "namespace", namespace)).rejects.toThrow(/NotFound/);
    const applied = await run("kubectl", ["--kubeconfig", cluster!.adminKubeconfig, "apply", "-f", "-"], { input: printed.stdout });
    expect([applied.code, applied.stderr]).toEqual([0, ""]);
    expect(applied.stdout.split("\n").filter((line) => line.endsWith(" created"))).toHaveLength(5);
  });

  it("goes on from what is there, and the gateway that gets the kubeconfig may impersonate", async () => {
    const made = await admin([...own, "--out=gateway.kubeconfig"]);
    expect([made.code, made.stderr]).toEqual([0, expect.stringMatching(/✔ namespace .* is there\n(✔ .* (is there|updated)\n){4}✔ wrote .*gateway\.kubeconfig/)]);
    expect(made.stderr).toMatch(/next: .*\n\n {2}proxy_service:\n/);
    const file = join(folder, "gateway.kubeconfig");
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    const refused = await admin([...own, "--out=gateway.kubeconfig"]);
    expect([refused.code, refused.stderr]).toEqual([6, expect.stringContaining("exists, and nothing was changed")]);
    const again = await admin([...own, "--out=gateway.kubeconfig", "--force"]);
    expect([again.code, again.stderr]).toEqual([0, expect.stringMatching(/^(✔ .* is there\n){5}/)]);

    const world = await createWorld({ kubeconfig: file });
    try {
      expect((world.ready as unknown as { kubernetes: unknown }).kubernetes).toMatchObject([{ name: "example", healthy: true }]);
      const ana = await world.person("ana");
      await ana.logIn();
      expect((await ana.kubectl(["get", "pods"])).stdout).toMatch(/^shell\s+1\/1\s+Running/m);
    } finally {
      await world.close();
    }
    // Nothing but impersonation.
    expect((await run("kubectl", ["--kubeconfig", file, "get", "pods"])).stderr).toContain("Forbidden");
  });

  it("writes to standard output with --out=-", async () => {
    const printed = await admin([...own, "--out=-"]);
    expect(parse(printed.stdout)).toMatchObject({ kind: "Config", users: [{ name, user: { token: expect.any(String) as string } }] });
    expect(printed.stderr).not.toContain((parse(printed.stdout) as Kubeconfig).users[0]!.user["token"]);
  });

  it("leaves alone what is not its own, and tells of changes by others", async () => {
    await kubectl("patch", "clusterrole", name, "--type=json", "-p", '[{"op":"replace","path":"/rules","value":[]}]');
    const changed = await admin([...own, "--out=x"]);
    expect([changed.code, changed.stderr]).toEqual([6, expect.stringMatching(/ClusterRole .* was changed by somebody else: .*conflict/)]);
    await kubectl("label", "clusterrole", name, "app.kubernetes.io/managed-by-");
    const foreign = await admin([...own, "--out=x"]);
    expect([foreign.code, foreign.stderr]).toEqual([6, expect.stringMatching(/ClusterRole .* is there already, and was not made by this command/)]);
    await expect(stat(join(folder, "x"))).rejects.toThrow(/ENOENT/);
  });

  it.each([
    ["rights that are missing", ["--kubeconfig", "GATEWAY"], 4, /lack rights in the cluster, and nothing was changed; missing:\n(.*\n)*.*create clusterroles\.rbac\.authorization\.k8s\.io\n/],
    ["a context that is not there", ["--context=reall"], 5, /there is no context "reall".*; did you mean "real"\?/],
    ["a kubeconfig that is not there", ["--kubeconfig=/nonexistent"], 5, /\/nonexistent does not exist/],
    ["a server that is down", ["--kubeconfig", "DEAD"], 7, /https:\/\/127\.0\.0\.1:1 of context "dead" cannot be reached: ECONNREFUSED/],
    ["a name that none is", ["--name=Gate_House"], 2, /--name: "Gate_House" is no name/],
    ["a namespace that none is", ["--namespace=-x"], 2, /--namespace/],
    ["a timeout that none is", ["--timeout=soon"], 2, /--timeout: "soon" is no duration/],
    ["a timeout of nothing", ["--timeout=0"], 2, /--timeout/],
    ["a flag that is not there", ["--nosuch"], 2, /nosuch/],
    ["an output where none can be", ["--out=/nonexistent/x"], 1, /\/nonexistent\/x cannot be written/],
    ["an output that is a folder", ["--out=.", "--force"], 1, /is not a regular file/],
  ])("says what is wrong: %s", async (_what, args, code, message) => {
    await writeFile(join(folder, "dead"), stringify({ "current-context": "dead", clusters: [{ name: "d", cluster: { server: "https://127.0.0.1:1" } }], users: [{ name: "u", user: { token: "t" } }], contexts: [{ name: "dead", context: { cluster: "d", user: "u" } }] }));
    const real = args.map((arg) => (arg === "GATEWAY" ? cluster!.gatewayKubeconfig : arg === "DEAD" ? join(folder, "dead") : arg));
    const standard = ["--timeout=1s", "--namespace=gh-never", "--name=gh-never"].filter((flag) => !args.some((arg) => arg.startsWith(flag.slice(0, flag.indexOf("=") + 1))));
    const outcome = await admin([...standard, ...real]);
    expect([outcome.code, outcome.stderr]).toEqual([code, expect.stringMatching(message)]);
    expect(outcome.stdout).toBe("");
    await expect(kubectl("get", "namespace", "gh-never")).rejects.toThrow(/NotFound/);
  });
});
