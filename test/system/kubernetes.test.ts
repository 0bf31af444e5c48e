import { randomBytes } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { get } from "node:http";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { howToGetACluster, kubectlBinaries, realCluster, type KubeAuditEvent } from "../support/cluster.ts";
import { start } from "../support/process.ts";
import { runInTerminal } from "../support/terminal.ts";
import { createWorld, type Person, type World } from "../support/world.ts";

const cluster = realCluster();
if (!cluster) console.warn(howToGetACluster);

describe.skipIf(!cluster)("kubectl through the gateway against a real Kubernetes", () => {
  let world: World;
  let ana: Person;
  let bo: Person;

  beforeAll(async () => {
    world = await createWorld({ kubeconfig: cluster!.gatewayKubeconfig });
    ana = await world.person("ana");
    bo = await world.person("bo");
    await Promise.all([ana.logIn(), bo.logIn()]);
  });
  afterAll(() => world.close());

  /** Requests that the API server's own audit log has with this in their address. */
  const requestsWith = (mark: string): readonly KubeAuditEvent[] => cluster!.auditLog()?.filter(({ requestURI }) => requestURI.includes(mark)) ?? [];

  it("a member of developers gets pods, and the API server's own audit log names the person", async () => {
    const pods = await ana.kubectl(["get", "pods"]);
    expect(pods.stderr).toBe("");
    expect(pods.stdout).toMatch(/^shell\s+1\/1\s+Running/m);
    // Others use the cluster too, under the same names.
    const mark = `mark-${randomBytes(6).toString("hex")}`;
    expect((await ana.kubectl(["get", "pods", "-l", mark])).code).toBe(0);
    await expect.poll(() => requestsWith(mark)).toMatchObject([{ impersonatedUser: { username: "ana", groups: expect.arrayContaining(["developers"]) as string[] }, user: { username: "access-gateway" } }]);
  });

  it("exec passes output, errors and the exit code", async () => {
    const exec = await ana.kubectl(["exec", "shell", "--", "sh", "-c", "echo out; echo err >&2; exit 3"]);
    expect(exec.code).toBe(3);
    expect(exec.stdout).toBe("out\n");
    expect(exec.stderr).toContain("err\n");
    const input = randomBytes(200_000).toString("base64");
    const echoed = await ana.kubectl(["exec", "-i", "shell", "--", "cat"], { input });
    expect(echoed.stdout).toBe(input);
  });

  it("exec -ti has a terminal that follows its size", async () => {
    const { pty, until, sizeIs, exited } = runInTerminal("kubectl", ["exec", "-ti", "shell", "--", "sh"], { env: ana.env });
    await until(/[#$] /);
    await sizeIs("33 91");
    pty.resize(120, 40);
    await sizeIs("40 120");
    pty.write("exit 7\r");
    expect(await exited).toBe(7);
  });

  it("cp of 20 MB is byte-exact both ways", async () => {
    const original = randomBytes(20 * 1024 * 1024);
    const up = join(world.folder, "up.bin");
    const down = join(world.folder, "down.bin");
    await writeFile(up, original);
    const copy = `/tmp/${randomBytes(6).toString("hex")}.bin`;
    const there = await ana.kubectl(["cp", up, `shell:${copy}`]);
    expect(there.stderr).toBe("");
    expect(there.code).toBe(0);
    const back = await ana.kubectl(["cp", `shell:${copy}`, down]);
    expect(back.code).toBe(0);
    expect(original.equals(await readFile(down))).toBe(true);
    await ana.kubectl(["exec", "shell", "--", "rm", copy]);
  });

  it("logs -f and get -w arrive as they happen", async () => {
    const logs = start("kubectl", ["logs", "-f", "--tail=1", "shell"], { env: ana.env });
    await logs.waitFor(/tick \d+\n(?:.*\n)*tick \d+\n/, "stdout");
    await logs.stop();
    const watch = start("kubectl", ["get", "configmaps", "-w", "--no-headers"], { env: ana.env });
    await new Promise((resolve) => setTimeout(resolve, 1500));
    const name = `watched-${randomBytes(3).toString("hex")}`;
    expect((await ana.kubectl(["create", "configmap", name])).code).toBe(0);
    await watch.waitFor(new RegExp(name), "stdout");
    await watch.stop();
    expect((await ana.kubectl(["delete", "configmap", name])).code).toBe(0);
  });

  it("apply creates and changes", async () => {
    const name = `applied-${randomBytes(3).toString("hex")}`;
    const manifest = (value: string): string => `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ${name}}\ndata: {key: ${value}}\n`;
    expect((await ana.kubectl(["apply", "-f", "-"], { input: manifest("one") })).stdout).toContain("created");
    expect((await ana.kubectl(["apply", "-f", "-"], { input: manifest("two") })).stdout).toContain("configured");
    expect((await ana.kubectl(["get", "configmap", name, "-o", "jsonpath={.data.key}"])).stdout).toBe("two");
    expect((await ana.kubectl(["delete", "configmap", name])).code).toBe(0);
  });

  it("port-forward carries several requests", async () => {
    const forward = start("kubectl", ["port-forward", "pod/shell", ":8080"], { env: ana.env });
    const [, port] = await forward.waitFor(/Forwarding from 127\.0\.0\.1:(\d+)/, "stdout");
    const fetched = await Promise.all(
      Array.from({ length: 8 }, () =>
        new Promise<string>((resolve, reject) => {
          get({ port: Number(port), host: "127.0.0.1", path: "/", agent: false }, (response) => {
            let body = "";
            response.setEncoding("utf8").on("data", (chunk: string) => (body += chunk)).on("end", () => resolve(body));
          }).on("error", reject);
        }),
      ),
    );
    expect(fetched).toEqual(Array.from({ length: 8 }, () => "hello\n"));
    await forward.stop();
  });

  it("a viewer's exec is forbidden in Kubernetes' own words, naming the person", async () => {
    expect((await bo.kubectl(["get", "pods"])).stdout).toContain("shell");
    const exec = await bo.kubectl(["exec", "shell", "--", "true"]);
    expect(exec.code).not.toBe(0);
    expect(exec.stderr).toMatch(/pods "shell" is forbidden: User "bo" cannot create resource "pods\/exec"/);
  });

  it("a person with no group is refused by the gateway, and Kubernetes never hears of it", async () => {
    const ed = await world.person("ed");
    await ed.logIn();
    // Login gives them no context; they come with another's, and their own certificate.
    const mark = `mark-${randomBytes(6).toString("hex")}`;
    const pods = await ed.kubectl(["--context", "example", "get", "pods", "-l", mark], { env: { ...ed.env, KUBECONFIG: ana.kubeconfig } });
    expect(pods.code).not.toBe(0);
    expect(pods.stderr).toMatch(/ed may not use Kubernetes cluster \\?"example\\?": no role gives a Kubernetes group there \(refusal [0-9a-f]+\)/);
    // What came later is in the API server's log, and this is not.
    const later = `${mark}-later`;
    expect((await ana.kubectl(["get", "pods", "-l", later])).code).toBe(0);
    await expect.poll(() => requestsWith(later).length).toBe(1);
    expect(requestsWith(mark)).toEqual(requestsWith(later));
  });

  it("--as and --as-group reach no further than one's own name and groups", async () => {
    const own = await ana.kubectl(["get", "pods", "--as=ana", "--as-group=developers"]);
    expect(own.stderr).toBe("");
    expect((await ana.kubectl(["get", "pods", "--as=bo"])).stderr).toMatch(/impersonat/i);
    expect((await ana.kubectl(["get", "pods", "--as=ana", "--as-group=system:masters"])).stderr).toMatch(/impersonat|system:masters/i);
    expect((await ana.kubectl(["get", "pods", "--as=ana", "--as-uid=1"])).stderr).toMatch(/impersonat|uid/i);
  });

  it("groups and user names come from literals, traits and text around them, and nothing else", async () => {
    const role = await world.tctl(["get", "roles/access"]);
    const change = async (groups: string, users: string): Promise<void> => {
      const edited = role.stdout.replace(/kubernetes_groups:\n\s+- .*\n/, `kubernetes_groups: [${groups}]\n    kubernetes_users: [${users}]\n`);
      expect((await world.tctl(["create", "-f", "-"], { input: edited })).code).toBe(0);
    };
    // Only these requests have this in their address, in a cluster that others use too.
    const mark = `mark-${randomBytes(6).toString("hex")}`;
    const nodes = (step: string, ...args: string[]): ReturnType<Person["kubectl"]> => ana.kubectl(["get", "nodes", "-l", `${mark}=${step}`, ...args]);
    const seen = (step: string): readonly unknown[] => {
      const as = cluster!.auditLog()?.findLast(({ requestURI }) => requestURI.includes(`${mark}%3D${step}`))?.impersonatedUser;
      return [as?.username, [...(as?.groups ?? [])].filter((group) => group !== "system:authenticated").sort()];
    };
    try {
      // The trait is the person's logins, of which ana has two.
      await change("system:masters, '{{external.logins}}'", "");
      expect((await nodes("two")).code).toBe(0);
      await expect.poll(() => seen("two")).toEqual(["ana", ["ana", "deploy", "system:masters"]]);
      await change("system:masters, '{{external.gone}}', 'x-{{external.gone}}'", "'svc-{{external.logins}}'");
      const choose = await nodes("none");
      expect(choose.stderr).toMatch(/ana may be any of several users in cluster \\?"example\\?": choose one with --as \(\\?"svc-ana\\?", \\?"svc-deploy\\?"\)/);
      expect((await nodes("gone", "--as=svc-deploy")).code).toBe(0);
      await expect.poll(() => seen("gone")).toEqual(["svc-deploy", ["system:masters"]]);
      expect((await ana.kubectl(["exec", "--as=svc-ana", "shell", "--", "echo", "hello"])).stdout).toBe("hello\n");
      for (const other of ["ana", "bo", "svc-bo", "system:admin"]) expect((await nodes("none", `--as=${other}`)).stderr).toContain("may not impersonate user");
      expect(seen("none")).toEqual([undefined, []]);
      const events = await world.events();
      expect(events.findLast((event) => event["event"] === "kube.request" && event["kubernetes_user"] === "svc-deploy")).toMatchObject({ user: "ana", login: "ana" });
      for (const name of ["exec", "session.start"]) expect(events.findLast((event) => event["event"] === name)).toMatchObject({ user: "ana", kubernetes_user: "svc-ana" });
    } finally {
      expect((await world.tctl(["create", "-f", "-"], { input: role.stdout })).code).toBe(0);
    }
  });

  it("every exec, port-forward and request is in the audit log with who and where", async () => {
    const events = await world.events();
    const exec = events.find((event) => event["event"] === "exec" && String(event["command"]).includes("exit 3"));
    expect(exec).toMatchObject({ user: "ana" });
    expect(JSON.stringify(exec)).toContain("shell");
    expect(events.find((event) => event["event"] === "port")).toMatchObject({ user: "ana" });
    expect(events.some((event) => event["event"] === "kube.request" && event["user"] === "bo")).toBe(true);
    expect(events.find((event) => event["event"] === "user.login" && event["user"] === "ana")).toMatchObject({ code: "T1001I", success: true });
  });

  describe("what a person loses", () => {
    const execOf = (person: Person): ReturnType<typeof start> => start("kubectl", ["exec", "-i", "shell", "--", "sh", "-c", "echo ready; cat"], { env: person.env });

    it("a role edited ends the open exec with the reason, and the next request is decided anew", async () => {
      const cy = await world.person("cy");
      const admin = await world.tctl(["get", "roles/admin"]);
      const edited = admin.stdout.replace(/kubernetes_groups:\n(\s+)- .*\n/, "kubernetes_groups:\n$1- developers\n");
      expect(edited).not.toBe(admin.stdout);
      expect((await world.tctl(["create", "-f", "-"], { input: edited })).code).toBe(0);
      await cy.logIn();
      const exec = execOf(cy);
      await exec.waitFor(/ready/, "stdout");
      const viewers = edited.replace("- developers", "- viewers");
      const changed = await world.tctl(["create", "-f", "-"], { input: viewers });
      expect(changed.stdout + changed.stderr).toMatch(/role admin updated/);
      const { code } = await exec.ended;
      expect(code).not.toBe(0);
      expect(exec.stderr()).toMatch(/access|right|group/i);
      expect((await cy.kubectl(["exec", "shell", "--", "true"])).stderr).toMatch(/forbidden: User "cy"/);
      expect((await cy.kubectl(["get", "pods"])).code).toBe(0);
      const disconnect = (await world.events()).find((event) => event["event"] === "client.disconnect" && event["user"] === "cy");
      expect(String(disconnect?.["reason"])).toMatch(/\w/);
      expect((await world.tctl(["create", "-f", "-"], { input: admin.stdout })).code).toBe(0);
    });

    // The oldest speaks SPDY to the gateway, the newest WebSocket.
    it.each(["oldest", "newest"])("logging out ends the open exec of the %s kubectl with the reason", async (age) => {
      const binaries = (await kubectlBinaries()).slice(1);
      const binary = (age === "oldest" ? binaries[0] : binaries.at(-1)) ?? "kubectl";
      await ana.logIn();
      const exec = start(binary, ["exec", "-i", "shell", "--", "sh", "-c", "echo ready; cat"], { env: ana.env });
      await exec.waitFor(/ready/, "stdout");
      expect((await ana.tsh(["logout"])).code).toBe(0);
      const { code } = await exec.ended;
      expect(code).not.toBe(0);
      expect(exec.stderr()).toMatch(/logged out|session/i);
      const after = await ana.kubectl(["get", "pods"]);
      expect(after.code).not.toBe(0);
      await ana.logIn();
    });

    it("a user removed loses an open exec, a watch and the next request", async () => {
      const exec = execOf(bo);
      // bo may only read: the exec is refused, so the watch is what is open.
      await exec.ended;
      const watch = start("kubectl", ["get", "pods", "-w"], { env: bo.env });
      await watch.waitFor(/shell/, "stdout");
      expect((await world.tctl(["rm", "user/bo"])).code).toBe(0);
      await watch.ended;
      const pods = await bo.kubectl(["get", "pods"]);
      expect(pods.code).not.toBe(0);
      expect(pods.stderr).toMatch(/session has ended/);
    });
  });

  it("every kubectl on the machine works through it", async () => {
    await ana.logIn();
    for (const binary of await kubectlBinaries()) {
      const pods = await ana.kubectl(["get", "pods", "-o", "name"], { binary });
      expect(`${binary} ${pods.stdout}${pods.stderr}`).toContain(`${binary} pod/shell`);
      const exec = await ana.kubectl(["exec", "shell", "--", "sh", "-c", "echo hi; exit 3"], { binary });
      expect([binary, exec.code, exec.stdout]).toEqual([binary, 3, "hi\n"]);
    }
  });
});
