import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { readFile, rm, writeFile } from "node:fs/promises";
import { get } from "node:http";
import { connect } from "node:net";
import { basename, join } from "node:path";
import { parse, stringify } from "yaml";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { howToGetACluster, kubectlBinaries, realCluster } from "../support/cluster.ts";
import { startConnectProxy } from "../support/connect-proxy.ts";
import { run, start } from "../support/process.ts";
import { runInTerminal } from "../support/terminal.ts";
import { createWorld, type Person, type World } from "../support/world.ts";

const cluster = realCluster();
const kubectls = await kubectlBinaries();

interface Version {
  readonly binary: string;
  readonly name: string;
}
const versions: readonly Version[] = kubectls.map((binary) => ({ binary, name: basename(binary) }));
/** The one on PATH may have any version: it says itself. 1.30 and later ask for v5, 1.31 and later for the tunnel. */
const minorOf = async ({ binary }: Version): Promise<number> => Number(/GitVersion:"?v1\.(\d+)|Client Version: v1\.(\d+)/.exec((await run(binary, ["version", "--client"])).stdout)?.slice(1).find(Boolean));

describe.skipIf(!cluster)(cluster ? "every kubectl, to an API server that speaks SPDY alone" : `translation: ${howToGetACluster}`, () => {
  let world: World;
  let ana: Person;
  let bo: Person;
  const pod = `translate-${randomBytes(3).toString("hex")}`;
  const admin = (args: readonly string[], input?: string): ReturnType<typeof run> =>
    run("kubectl", args, { env: { PATH: process.env["PATH"], HOME: world.folder, KUBECONFIG: cluster!.adminKubeconfig }, ...(input === undefined ? {} : { input }) });

  beforeAll(async () => {
    world = await createWorld({ kubeconfig: cluster!.gatewayKubeconfig });
    ana = await world.person("ana");
    bo = await world.person("bo");
    await Promise.all([ana.logIn(), bo.logIn()]);
    const shell = parse((await admin(["get", "pod", "shell", "-o", "yaml"])).stdout) as { spec: { nodeName: string; containers: { image: string }[] } };
    // What is attached to: it reads lines, and has a terminal.
    const containers = [{ name: "main", image: shell.spec.containers[0]!.image, imagePullPolicy: "Never", command: ["sh"], stdin: true, tty: true }];
    const spec = { nodeName: shell.spec.nodeName, terminationGracePeriodSeconds: 0, automountServiceAccountToken: false, enableServiceLinks: false, dnsPolicy: "Default", tolerations: [{ operator: "Exists" }], containers };
    const made = await admin(["apply", "-f", "-"], stringify({ apiVersion: "v1", kind: "Pod", metadata: { name: pod }, spec }));
    expect(made.stderr).toBe("");
    await admin(["wait", "--for=condition=Ready", `pod/${pod}`, "--timeout=60s"]);
  });
  afterAll(async () => {
    await admin(["delete", "pod", pod, "--grace-period=0", "--force"]);
    await world.close();
  });

  /** Upgrades of one kind that the audit log has, by a mark in the command. */
  const upgrades = async (mark: string, event = "exec"): Promise<readonly Readonly<Record<string, unknown>>[]> =>
    (await world.events()).filter((one) => one["event"] === event && JSON.stringify(one).includes(mark));

  describe.each(versions)("$name", ({ binary, name }) => {
    it("brings exit codes, output and errors of exec, in one attempt", async () => {
      const mark = `mark-${randomBytes(4).toString("hex")}`;
      for (const code of [0, 3, 137]) {
        const exec = await ana.kubectl(["exec", "shell", "--", "sh", "-c", `: ${mark}; echo out; echo err >&2; exit ${code}`], { binary });
        expect([exec.code, exec.stdout, exec.stderr.split("\n")[0]]).toEqual([code, "out\n", "err"]);
      }
      const seen = await upgrades(mark);
      expect(seen).toHaveLength(3);
      const modern = (await minorOf({ binary, name })) >= 30;
      for (const event of seen) expect(event).toMatchObject({ code: "T3002I", protocol: modern ? "v5.channel.k8s.io" : "v4.channel.k8s.io" });
      // Each is a session, whose record says how it ended.
      const sids = seen.map((event) => event["sid"]);
      await expect.poll(async () => (await world.events()).filter((event) => event["event"] === "session.end" && sids.includes(event["sid"])).map((event) => event["exit_code"]).sort()).toEqual([0, 137, 3]);
    });

    it("sends 3 MB of input and its end", async () => {
      const input = randomBytes(3_000_000);
      const exec = await ana.kubectl(["exec", "-i", "shell", "--", "sh", "-c", "wc -c; echo after; exit 4"], { binary, input });
      expect([exec.code, exec.stdout.trim().split(/\s+/)]).toEqual([4, ["3000000", "after"]]);
      const sum = await ana.kubectl(["exec", "-i", "shell", "--", "sha256sum"], { binary, input });
      const own = await run("sha256sum", [], { input });
      expect(sum.stdout).toBe(own.stdout);
    });

    it("gets all of a long output before the end", async () => {
      const exec = await ana.kubectl(["exec", "shell", "--", "sh", "-c", "seq 1 300000; exit 9"], { binary });
      expect(exec.code).toBe(9);
      expect(exec.stdout.split("\n").slice(-2)).toEqual(["300000", ""]);
      expect(exec.stdout.length).toBe(1_988_895);
    });

    it("has a terminal with sizes, Ctrl-C and Ctrl-D", async () => {
      const { pty, until, sizeIs, exited } = runInTerminal(binary, ["exec", "-ti", "shell", "--", "sh"], { env: ana.env });
      await until(/[#$] /);
      await sizeIs("33 91");
      pty.resize(120, 40);
      await sizeIs("40 120");
      pty.write("sleep 100; echo slept $?\r");
      await until(/sleep 100/);
      await new Promise((resolve) => setTimeout(resolve, 300));
      pty.write("\u0003");
      // At the prompt a shell may ask where the cursor is.
      await until(/[#$] (?:\u001b\[6n)?$/);
      pty.write("echo rc=$?; (exit 6)\r");
      await until(/rc=130[\s\S]*[#$] (?:\u001b\[6n)?$/);
      pty.write("\u0004");
      expect(await exited).toBe(6);
    });

    it("attaches to a terminal that is there already", async () => {
      const { pty, until, exited } = runInTerminal(binary, ["attach", "-ti", pod], { env: ana.env });
      pty.write("\r");
      await until(/[#$] /);
      pty.write("echo at-$((40+2))\r");
      await until(/at-42/);
      pty.kill();
      await exited;
    });

    it("copies 20 MB both ways", async () => {
      const original = randomBytes(20 * 1024 * 1024);
      const [up, down] = [join(world.folder, `${name}.up`), join(world.folder, `${name}.down`)];
      await writeFile(up, original);
      const there = await ana.kubectl(["cp", up, `shell:/tmp/${name}.bin`], { binary });
      expect([there.code, there.stderr]).toEqual([0, ""]);
      expect((await ana.kubectl(["cp", `shell:/tmp/${name}.bin`, down], { binary })).code).toBe(0);
      expect(original.equals(await readFile(down))).toBe(true);
      await ana.kubectl(["exec", "shell", "--", "rm", `/tmp/${name}.bin`], { binary });
      await Promise.all([rm(up), rm(down)]);
    });

    it("forwards a port for many connections, in one attempt", async () => {
      // The connections that it carries have events of their own.
      const forwards = async (): Promise<readonly unknown[]> => (await upgrades("shell", "port")).filter((one) => one["response_code"] === 101).map((one) => one["protocol"]);
      const before = (await forwards()).length;
      const forward = start(binary, ["port-forward", "pod/shell", ":8080"], { env: ana.env });
      const [, port] = await forward.waitFor(/Forwarding from 127\.0\.0\.1:(\d+)/, "stdout");
      const fetchOne = (): Promise<string> =>
        new Promise((resolve, reject) => {
          get({ port: Number(port), host: "127.0.0.1", path: "/", agent: false }, (response) => {
            let body = "";
            response.setEncoding("utf8").on("data", (chunk: string) => (body += chunk)).on("end", () => resolve(body));
          }).on("error", reject);
        });
      for (let round = 0; round < 5; round++) {
        expect(new Set(await Promise.all(Array.from({ length: 20 }, fetchOne)))).toEqual(new Set(["hello\n"]));
      }
      // One that is cut in the middle takes no other with it.
      const cut = connect(Number(port), "127.0.0.1").on("error", () => undefined);
      await once(cut, "connect");
      cut.write("GET / HTT");
      cut.destroy();
      expect(await fetchOne()).toBe("hello\n");
      await forward.stop();
      const protocol = (await minorOf({ binary, name })) >= 31 ? "SPDY/3.1+portforward.k8s.io" : "portforward.k8s.io";
      expect((await forwards()).slice(before)).toEqual([protocol]);
    });

    it("is forbidden in Kubernetes' own words", async () => {
      const exec = await bo.kubectl(["exec", "shell", "--", "true"], { binary });
      expect(exec.code).toBe(1);
      expect(exec.stderr).toMatch(/pods "shell" is forbidden: User "bo" cannot create resource "pods\/exec"/);
      const forward = await bo.kubectl(["port-forward", "pod/shell", ":8080"], { binary });
      expect(forward.stderr).toMatch(/pods "shell" is forbidden: User "bo" cannot create resource "pods\/portforward"/);
      const wrong = await ana.kubectl(["exec", "shell", "-c", "nope", "--", "true"], { binary });
      expect(wrong.stderr).toMatch(/container (?:nope is not valid|not found).*/);
    });

    it("reads why when the command is not there", async () => {
      const exec = await ana.kubectl(["exec", "shell", "--", "/no/such"], { binary });
      expect(exec.code).not.toBe(0);
      expect(exec.stderr).toMatch(/no such file|not found/i);
    });

    it("comes through a proxy that knows CONNECT alone", async () => {
      const proxy = await startConnectProxy();
      try {
        const config = parse(await readFile(ana.kubeconfig, "utf8")) as { clusters: { cluster: Record<string, unknown> }[] };
        for (const one of config.clusters) one.cluster["proxy-url"] = proxy.url;
        const kubeconfig = join(world.folder, `${name}.kubeconfig`);
        await writeFile(kubeconfig, stringify(config), { mode: 0o600 });
        const exec = await run(binary, ["exec", "-i", "shell", "--", "sh", "-c", "cat; exit 5"], { env: { ...ana.env, KUBECONFIG: kubeconfig }, input: "through\n" });
        expect([exec.code, exec.stdout]).toEqual([5, "through\n"]);
        expect(proxy.connected.length).toBeGreaterThan(0);
      } finally {
        proxy.close();
      }
    });
  });
});
