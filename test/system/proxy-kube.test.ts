import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readFile, readdir, readlink, utimes, writeFile } from "node:fs/promises";
import { get, request, type IncomingMessage } from "node:http";
import { once } from "node:events";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { spawn } from "@lydell/node-pty";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { howToGetACluster, kubectlBinaries, realCluster } from "../support/cluster.ts";
import { newMachine, type Machine } from "../support/machine.ts";
import { run, start, type Outcome, type RunOptions, type Running } from "../support/process.ts";
import { createWorld, tshPath, type World } from "../support/world.ts";

const cluster = realCluster();
if (!cluster) console.warn(howToGetACluster);

/** A proxy that runs, as its JSON tells. */
interface Told {
  readonly address: string;
  readonly kubeconfig: string;
  readonly current_context: string;
  readonly clusters: readonly { readonly name: string; readonly context: string; readonly server: string }[];
}

describe.skipIf(!cluster)("tsh proxy kube against a real Kubernetes", () => {
  let world: World;
  let ana: Machine;
  const running = new Set<Running>();

  beforeAll(async () => {
    world = await createWorld({ kubeconfig: cluster!.gatewayKubeconfig });
    ana = await newMachine(world, "ana");
    expect(await ana.logIn()).toMatchObject({ code: 0 });
  });
  afterEach(async () => {
    for (const proxy of running) await proxy.stop();
    running.clear();
  });
  afterAll(() => world.close());

  async function serve(machine: Machine, args: readonly string[] = []): Promise<{ readonly proxy: Running; readonly told: Told; kubectl(args: readonly string[], options?: RunOptions): Promise<Outcome>; readonly env: NodeJS.ProcessEnv }> {
    const proxy = machine.start(["proxy", "kube", "--format=json", ...args]);
    running.add(proxy);
    const [text] = await proxy.waitFor(/^\{[\s\S]*\n\}\n/, "stdout");
    const told = JSON.parse(text) as Told;
    const env = { ...machine.env, KUBECONFIG: told.kubeconfig };
    return { proxy, told, env, kubectl: (words, options) => run("kubectl", words, { env, ...options }) };
  }

  /** Connections of a process to a port. */
  async function connectionsTo(pid: number, port: number): Promise<number> {
    const inodes = new Set<string>();
    for (const fd of await readdir(`/proc/${pid}/fd`)) {
      const inode = /^socket:\[(\d+)\]$/.exec(await readlink(`/proc/${pid}/fd/${fd}`).catch(() => ""))?.[1];
      if (inode !== undefined) inodes.add(inode);
    }
    const wanted = port.toString(16).toUpperCase().padStart(4, "0");
    const lines = (await readFile("/proc/net/tcp", "utf8")).trim().split("\n").slice(1).map((line) => line.trim().split(/\s+/));
    return lines.filter(([, , remote = "", , , , , , , inode = ""]) => remote.endsWith(`:${wanted}`) && inodes.has(inode)).length;
  }
  const kubePort = (): number => Number(world.ready.addresses.kube?.split(":").at(-1));

  it("kubectl gets, runs, copies, forwards and follows through it", async () => {
    const { told, kubectl, env } = await serve(ana);
    expect(told.clusters).toMatchObject([{ name: "example", context: "example", server: `https://${told.address}` }]);
    expect(told.current_context).toBe("example");
    const pods = await kubectl(["get", "pods"]);
    expect(pods.stderr).toBe("");
    expect(pods.stdout).toMatch(/^shell\s+1\/1\s+Running/m);

    const exec = await kubectl(["exec", "shell", "--", "sh", "-c", "echo out; echo err >&2; exit 3"]);
    expect(exec).toMatchObject({ code: 3, stdout: "out\n" });
    expect(exec.stderr).toContain("err\n");
    const input = randomBytes(200_000).toString("base64");
    expect((await kubectl(["exec", "-i", "shell", "--", "cat"], { input })).stdout).toBe(input);

    const original = randomBytes(5 * 1024 * 1024);
    const [up, down] = [join(ana.home, "up.bin"), join(ana.home, "down.bin")];
    await writeFile(up, original);
    expect(await kubectl(["cp", up, "shell:/tmp/proxied.bin"])).toMatchObject({ code: 0, stderr: "" });
    expect((await kubectl(["cp", "shell:/tmp/proxied.bin", down])).code).toBe(0);
    expect(original.equals(await readFile(down))).toBe(true);
    expect((await kubectl(["exec", "shell", "--", "rm", "/tmp/proxied.bin"])).code).toBe(0);

    const logs = start("kubectl", ["logs", "-f", "--tail=1", "shell"], { env });
    await logs.waitFor(/tick \d+\n(?:.*\n)*tick \d+\n/, "stdout");
    await logs.stop();

    const forward = start("kubectl", ["port-forward", "pod/shell", ":8080"], { env });
    const [, port] = await forward.waitFor(/Forwarding from 127\.0\.0\.1:(\d+)/, "stdout");
    const fetched = await Promise.all(Array.from({ length: 4 }, async () => {
      const [response] = (await once(get({ port: Number(port), host: "127.0.0.1", path: "/", agent: false }), "response")) as [IncomingMessage];
      let body = "";
      for await (const chunk of response) body += String(chunk);
      return body;
    }));
    expect(fetched).toEqual(Array.from({ length: 4 }, () => "hello\n"));
    await forward.stop();
  });

  it("a refusal is Kubernetes' own, and the audit log knows the person", async () => {
    const bo = await newMachine(world, "bo");
    expect(await bo.logIn()).toMatchObject({ code: 0 });
    const { kubectl } = await serve(bo);
    const exec = await kubectl(["exec", "shell", "--", "true"]);
    expect(exec.code).not.toBe(0);
    expect(exec.stderr).toMatch(/pods "shell" is forbidden: User "bo" cannot create resource "pods\/exec"/);
    expect((await kubectl(["get", "pods", "--as=ana"])).stderr).toContain("may not impersonate user");
    expect((await world.events()).some((event) => event["event"] === "kube.request" && event["user"] === "bo")).toBe(true);
  });

  it("forty kubectl at once share a few connections to the gateway", async () => {
    const { proxy, env } = await serve(ana);
    const all = await run("sh", ["-c", "seq 40 | xargs -P 40 -I{} kubectl get pod shell -o name"], { env });
    expect(all).toMatchObject({ code: 0, stderr: "" });
    expect(all.stdout).toBe("pod/shell\n".repeat(40));
    const connections = await connectionsTo(proxy.child.pid!, kubePort());
    expect(connections).toBeGreaterThanOrEqual(1);
    expect(connections).toBeLessThanOrEqual(16);
  });

  // The oldest speaks SPDY, the newest WebSocket where it can.
  it.each(["oldest", "newest"])("the %s kubectl ends its input, and hears the end of the answer", async (age) => {
    const binaries = (await kubectlBinaries()).slice(1);
    const binary = (age === "oldest" ? binaries[0] : binaries.at(-1)) ?? "kubectl";
    const { env } = await serve(ana);
    const input = randomBytes(500_000).toString("base64");
    const exec = await run(binary, ["exec", "-i", "shell", "--", "sh", "-c", "wc -c; echo end"], { env, input });
    expect(exec).toMatchObject({ code: 0, stderr: "" });
    expect(exec.stdout.trim().split(/\s+/)).toEqual([String(input.length), "end"]);
  });

  /** Lets the login of a machine be one that ended. */
  async function endLogin(machine: Machine): Promise<void> {
    const home = join(machine.home, ".tsh");
    const [profile = ""] = (await readdir(home)).filter((name) => /^127.*\.yaml$/.test(name));
    const [key = ""] = await readdir(join(home, "keys"));
    const record = JSON.parse(await readFile(join(home, "keys", key), "utf8")) as Record<string, unknown>;
    await writeFile(join(home, "keys", key), JSON.stringify({ ...record, expires: Date.now() - 180_000 }), { mode: 0o600 });
    await utimes(join(home, profile), new Date(), new Date());
  }

  it("what its login's end means is told by every request, and they succeed after a new one", async () => {
    const other = await newMachine(world, "bo");
    expect(await other.logIn()).toMatchObject({ code: 0 });
    const { kubectl, proxy } = await serve(other);
    expect((await kubectl(["get", "pods"])).code).toBe(0);
    await endLogin(other);
    await expect.poll(async () => (await kubectl(["get", "pods"])).stderr).toMatch(/your login to 127\.0\.0\.1:\d+ ended 3 min.* ago; run: tsh login --proxy=127\.0\.0\.1:\d+ --auth=github/);
    expect(await other.logIn()).toMatchObject({ code: 0 });
    expect(await kubectl(["get", "pods"])).toMatchObject({ code: 0, stderr: "" });
    expect(await other.tsh(["logout"])).toMatchObject({ code: 0 });
    expect((await kubectl(["get", "pods"])).stderr).toContain("tsh login");
    expect(proxy.child.exitCode).toBeNull();
  });

  it("a gateway that is gone is told, and one that is back is used", async () => {
    const { kubectl } = await serve(ana);
    expect((await kubectl(["get", "pods"])).code).toBe(0);
    await world.gateway.stop();
    const refused = await kubectl(["get", "pods"]);
    expect(refused.code).not.toBe(0);
    expect(refused.stderr).toMatch(/cannot reach the gateway 127\.0\.0\.1:\d+: the connection was refused/);
    await world.restart();
    expect(await kubectl(["get", "pods"])).toMatchObject({ code: 0 });
  });

  it("--exec ends with the command's exit code, and leaves nothing behind", async () => {
    const outcome = await ana.tsh(["proxy", "kube", "example", "--namespace=kube-system", "--exec", "--", "sh", "-c", 'echo "$KUBECONFIG"; kubectl config view --minify -o jsonpath={..namespace}; kubectl -n default get pod shell -o name; exit 7']);
    expect(outcome.stderr).toBe("");
    const [kubeconfig = "", rest = ""] = outcome.stdout.split(/\n([\s\S]*)/);
    expect([outcome.code, rest]).toEqual([7, "kube-systempod/shell\n"]);
    expect(existsSync(dirname(kubeconfig))).toBe(false);
    expect(await ana.tsh(["proxy", "kube", "--exec", "--", "no-such-program"])).toMatchObject({ code: 5, stderr: expect.stringContaining("cannot run no-such-program: there is no such program") as string });
    expect(await ana.tsh(["proxy", "kube", "--exec", "--", "sh", "-c", "kill -9 $$"])).toMatchObject({ code: 137 });
  });

  it("its kubeconfig goes with it, and that of one that was killed with the next", async () => {
    const first = await serve(ana);
    await first.proxy.stop("SIGKILL");
    expect(existsSync(first.told.kubeconfig)).toBe(true);
    const second = await serve(ana);
    expect(existsSync(dirname(first.told.kubeconfig))).toBe(false);
    expect(await second.proxy.stop("SIGINT")).toMatchObject({ code: 0 });
    expect(existsSync(dirname(second.told.kubeconfig))).toBe(false);
  });

  it("says where it is in one line, on a socket how to ask", async () => {
    const lines = ana.start(["proxy", "kube"]);
    running.add(lines);
    const [, path = ""] = await lines.waitFor(/^export KUBECONFIG=(\S+)\n$/, "stdout");
    expect((await run("kubectl", ["get", "pod", "shell", "-o", "name"], { env: { ...ana.env, KUBECONFIG: path } })).stdout).toBe("pod/shell\n");
    const folder = join(ana.home, "socket");
    await mkdir(folder, { mode: 0o700 });
    const path2 = join(folder, "kube.sock");
    const socket = ana.start(["proxy", "kube", `--listen-unix=${path2}`]);
    running.add(socket);
    await socket.waitFor(/^curl --unix-socket \S+ http:\/\/localhost\/version\n$/, "stdout");
    const [response] = (await once(request({ socketPath: path2, path: "/api/v1/namespaces/default/pods/shell" }).end(), "response")) as [IncomingMessage];
    response.resume();
    expect(response.statusCode).toBe(200);
    await socket.stop("SIGINT");
    expect(existsSync(path2)).toBe(false);
  });

  it("shows what passes on a terminal, logs in there once for all who wait, and ends with Ctrl-C", async () => {
    const bo = await newMachine(world, "bo");
    expect(await bo.logIn()).toMatchObject({ code: 0 });
    const terminal = spawn(process.execPath, [tshPath, "proxy", "kube"], { cols: 120, rows: 30, env: { ...bo.env, TERM: "xterm" } });
    let output = "";
    terminal.onData((data) => (output += data));
    const exited = new Promise<number>((resolve) => terminal.onExit(({ exitCode }) => resolve(exitCode)));
    await expect.poll(() => output).toMatch(/export KUBECONFIG=\S+[\s\S]*STATUS/);
    const kubeconfig = /export KUBECONFIG=(\S+)/.exec(output)?.[1] ?? "";
    const env = { ...bo.env, KUBECONFIG: kubeconfig };
    expect((await run("kubectl", ["get", "pod", "shell", "-o", "name"], { env })).code).toBe(0);
    await expect.poll(() => output).toMatch(/200 +get +\d+ \w+ +[\d.]+ k?B +default\/pods\/shell/);
    // What was found is believed for a quarter of a second.
    await sleep(500);
    await endLogin(bo);
    const waiting = await Promise.all(Array.from({ length: 4 }, () => run("kubectl", ["get", "pod", "shell", "-o", "name"], { env })));
    expect(waiting.map(({ code, stderr }) => [code, stderr])).toEqual(Array.from({ length: 4 }, () => [0, ""]));
    expect(output.match(/If the browser does not open/g)?.length).toBe(1);
    terminal.write("\x03");
    expect(await exited).toBe(0);
    expect(existsSync(kubeconfig)).toBe(false);
  });
});
