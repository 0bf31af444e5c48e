import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { howToGetACluster, kubectlBinaries, realCluster } from "../support/cluster.ts";
import { start, type Outcome } from "../support/process.ts";
import { createWorld, type Person, type World } from "../support/world.ts";

const uuid = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/;

/** Ids of the locks that are in force. */
async function lockIds(world: World): Promise<readonly string[]> {
  const { stdout } = await world.tctl(["locks", "ls", "--format=json"]);
  return (JSON.parse(stdout) as { name: string }[]).map(({ name }) => name);
}

async function lock(world: World, ...args: string[]): Promise<Outcome> {
  const outcome = await world.tctl(["lock", ...args]);
  expect(`${args.join(" ")} → ${String(outcome.code)} ${outcome.code === 0 ? "" : outcome.stderr}`).toBe(`${args.join(" ")} → 0 `);
  return outcome;
}

async function unlockAll(world: World): Promise<void> {
  for (const id of await lockIds(world)) expect((await world.tctl(["locks", "rm", id])).code).toBe(0);
}

describe("tctl lock", () => {
  let world: World;
  beforeAll(async () => {
    world = await createWorld();
  });
  afterAll(() => world.close());

  const tryLogIn = (person: Person): Promise<Outcome> =>
    person.tsh(["login", `--proxy=${world.proxy}`, "--auth=github", `--ca-pin=${world.ready.ca_pin}`, "--keystore=file", "--force"]);

  it("refuses a new login with the message and exit code 4, and lets it in when the lock is removed", async () => {
    const ana = await world.person("ana");
    await ana.logIn();
    const locked = await lock(world, "--user=ana", "--message=laptop stolen", "--ttl=24h");
    expect(locked.stdout).toBe("");
    expect(locked.stderr).toMatch(/^✔ ana is locked until (tomorrow )?\d\d:\d\d; no live session was concerned\n/);
    const [id] = await lockIds(world);
    expect(locked.stderr).toContain(`tctl locks rm ${String(id)}`);
    const refused = await tryLogIn(ana);
    expect(refused.code).toBe(4);
    expect(refused.stderr).toMatch(/user "ana" is locked until \S+: laptop stolen/);
    expect(refused.stderr).toContain(String(id));
    const events = await world.events();
    expect(events.find((event) => event["event"] === "lock.create")).toMatchObject({ name: id, target: { user: "ana" }, message: "laptop stolen", user: "local-admin" });
    expect(events.findLast((event) => event["event"] === "user.login")).toMatchObject({ success: false, user: "ana", lock: id });

    expect((await world.tctl(["users", "ls"])).stdout).toMatch(/^ana .* until \S+$/m);
    const rows = JSON.parse((await world.tctl(["users", "ls", "--format=json"])).stdout) as { name: string; locked: boolean; lock?: string }[];
    expect(rows.find((row) => row.name === "ana")).toMatchObject({ locked: true, lock: id });
    expect((await world.tctl(["locks", "ls"])).stdout).toMatch(/^ID +TARGET +MESSAGE +UNTIL +BY\n\S+ +user "ana" +laptop stolen +\S+Z +local-admin\n$/);

    const removed = await world.tctl(["locks", "rm", String(id)]);
    expect([removed.code, removed.stderr]).toEqual([0, `✔ lock ${String(id)} removed\n`]);
    expect((await world.tctl(["locks", "rm", String(id)])).code).toBe(5);
    await ana.logIn();
    expect((await world.events()).find((event) => event["event"] === "lock.delete")).toMatchObject({ name: id, target: { user: "ana" } });
    expect((await world.tctl(["users", "ls"])).stdout).toMatch(/^ana .* -$/m);
  });

  it("a lock on somebody who was never here counts when they come", async () => {
    const bo = await world.person("bo");
    expect((await lock(world, "--user=bo")).stderr).toContain('note: there is no user "bo" now');
    expect((await tryLogIn(bo)).stderr).toContain('user "bo" is locked (lock ');
    await unlockAll(world);
    await bo.logIn();
  });

  it("a lock on a role refuses whoever would get it, and nobody else", async () => {
    await lock(world, "--role=admin", "--message=freeze");
    const cy = await tryLogIn(await world.person("cy"));
    expect([cy.code, cy.stderr]).toEqual([4, expect.stringContaining('role "admin" is locked: freeze')]);
    await (await world.person("ana")).logIn();
    await unlockAll(world);
    await (await world.person("cy")).logIn();
  });

  it("a lock that ends lets in by itself", async () => {
    const ana = await world.person("ana");
    await lock(world, "--user=ana", "--ttl=20s");
    expect((await tryLogIn(ana)).code).toBe(4);
    await expect.poll(async () => (await tryLogIn(ana)).code, { interval: 500 }).toBe(0);
    expect(await lockIds(world)).toEqual([]);
  });

  it("an administrator who locks themselves out cannot lift it; the one on the gateway's host can", async () => {
    const cy = await world.person("cy");
    await cy.logIn();
    const own = await cy.tctl(["lock", "--user=cy", "--format=json"]);
    expect(own.code).toBe(0);
    const { name } = JSON.parse(own.stdout) as { name: string };
    const refused = await cy.tctl(["locks", "rm", name]);
    expect([refused.code, refused.stderr]).toEqual([4, expect.stringContaining('user "cy" is locked')]);
    expect((await world.tctl(["locks", "rm", name])).code).toBe(0);
    expect((await cy.tctl(["locks", "ls"])).code).toBe(0);
  });

  it("a person without a rule may not lock, nor see locks", async () => {
    const ana = await world.person("ana");
    for (const args of [["lock", "--user=cy"], ["locks", "ls"], ["locks", "rm", "x"], ["get", "locks"]]) {
      expect([args.join(" "), (await ana.tctl(args)).code]).toEqual([args.join(" "), 4]);
    }
    expect(await lockIds(world)).toEqual([]);
  });

  it("get, create, edit and rm work on it; get | create -f - changes nothing", async () => {
    const text = "kind: lock\nversion: v2\nspec:\n  target: {user: eve}\n  message: 'off: \"today\"'\n  expires: '2030-01-31T12:00:00Z'\n";
    expect((await world.tctl(["create", "-"], { input: text })).stderr).toMatch(new RegExp(`lock ${uuid.source} created`));
    const [id] = await lockIds(world);
    const read = await world.tctl(["get", `lock/${String(id)}`]);
    expect(read.stdout).toContain("created_by: local-admin");
    for (const format of ["yaml", "json"]) {
      const input = (await world.tctl(["get", `locks/${String(id)}`, `--format=${format}`])).stdout;
      expect((await world.tctl(["create", "-f", "-"], { input })).stderr).toContain("unchanged");
    }
    expect((await world.tctl(["get", "locks", "--format=text"])).stdout).toContain('user "eve"');
    const env = { ...process.env, EDITOR: "sed -i s/eve/fay/" };
    expect((await world.tctl(["edit", `lock/${String(id)}`], { env })).stderr).toContain("updated");
    expect((await world.tctl(["get", "locks"])).stdout).toContain("user: fay");
    expect((await world.tctl(["rm", `lock/${String(id)}`])).code).toBe(0);
    const typo = await world.tctl(["create", "-"], { input: text.replace("user:", "usr:") });
    expect([typo.code, typo.stderr]).toEqual([1, expect.stringContaining('spec.target.usr: unknown field; did you mean "user"?')]);
  });

  it.each([
    [[], 2, "who or what is to be locked?"],
    [["--message=x"], 2, "who or what is to be locked?"],
    [["--user=ana", "--ttl=soon"], 2, '"soon" is not a duration'],
    [["--user=ana", "--ttl=0"], 2, "a lock cannot last 0"],
    [["--user=ana", "--ttl=1h", "--expires=2030-01-31T12:00:00Z"], 2, "--ttl and --expires"],
    [["--user=ana", "--expires=tomorrow"], 1, "must be a time"],
    [["--user=ana", "--expires=2020-01-31T12:00:00Z"], 1, "has ended already"],
    [["--user=a b"], 1, "spec.target.user"],
    [["--session=6f0e"], 1, "is no session id"],
    [["--usr=ana"], 2, "--usr"],
    [["ana"], 2, "ana"],
  ])("wrong input %j is exit code %i with the reason", async (args, code, message) => {
    const outcome = await world.tctl(["lock", ...args]);
    expect([outcome.code, outcome.stdout]).toEqual([code, ""]);
    expect(outcome.stderr).toContain(message);
    expect(await lockIds(world)).toEqual([]);
  });
});

const cluster = realCluster();
if (!cluster) console.warn(howToGetACluster);

describe.skipIf(!cluster)("a lock and kubectl against a real Kubernetes", () => {
  let world: World;
  let ana: Person;
  beforeAll(async () => {
    world = await createWorld({ kubeconfig: cluster!.gatewayKubeconfig });
    ana = await world.person("ana");
    await ana.logIn();
  });
  afterAll(() => world.close());

  const open = async (binary = "kubectl"): Promise<ReturnType<typeof start>> => {
    const exec = start(binary, ["exec", "-i", "shell", "--", "sh", "-c", "echo ready; cat"], { env: ana.env });
    await exec.waitFor(/ready/, "stdout");
    return exec;
  };

  // The oldest speaks SPDY to the gateway, the newest WebSocket.
  it.each(["oldest", "newest"])("ends the open exec of the %s kubectl with its message, and refuses the next request with it", async (age) => {
    const binaries = (await kubectlBinaries()).slice(1);
    const binary = (age === "oldest" ? binaries[0] : binaries.at(-1)) ?? "kubectl";
    const exec = await open(binary);
    const locked = await lock(world, "--user=ana", `--message=laptop stolen (${age})`, "--ttl=1h");
    expect(locked.stderr).toMatch(/^✔ ana is locked until (tomorrow )?\d\d:\d\d; 1 session ended on 1 gateway in \d+\.\d s\n/);
    const { code } = await exec.ended;
    expect(code).not.toBe(0);
    expect(exec.stderr()).toContain(`laptop stolen (${age})`);
    const [id] = await lockIds(world);
    const pods = await ana.kubectl(["get", "pods"], { binary });
    expect(pods.code).not.toBe(0);
    expect(pods.stderr).toMatch(/user "ana" is locked until \S+: laptop stolen .*\(refusal [0-9a-f]{8}\)/);
    const refusal = /\(refusal ([0-9a-f]{8})\)/.exec(pods.stderr)?.[1];
    const events = await world.events();
    expect(events.find((event) => event["id"] === refusal)).toMatchObject({ event: "kube.denied", user: "ana", lock: id });
    expect(String(events.findLast((event) => event["event"] === "client.disconnect")?.["reason"])).toContain(String(id));
    await unlockAll(world);
    expect((await ana.kubectl(["get", "pods"], { binary })).code).toBe(0);
  });

  it("on the cluster: ends what is open there and refuses it, and the login stands", async () => {
    const exec = await open();
    expect((await lock(world, "--kube-cluster=exampl")).stderr).toContain('note: this gateway has no Kubernetes cluster "exampl"; did you mean "example"?');
    expect((await lock(world, "--kube-cluster=example", "--message=maintenance")).stderr).toMatch(/^✔ Kubernetes cluster "example" is locked until the lock is removed; 1 session ended on 1 gateway/);
    expect((await exec.ended).code).not.toBe(0);
    expect(exec.stderr()).toContain('Kubernetes cluster "example" is locked: maintenance');
    expect((await ana.kubectl(["get", "pods"])).stderr).toContain('Kubernetes cluster "example" is locked: maintenance');
    expect((await ana.tsh(["status"])).code).toBe(0);
    await unlockAll(world);
    expect((await ana.kubectl(["get", "pods"])).code).toBe(0);
  });

  it("on a login session: refuses its certificates, and a new login is let in", async () => {
    const exec = await open();
    const session = (await world.events()).findLast((event) => event["event"] === "user.login" && event["user"] === "ana")?.["session"];
    await lock(world, `--session=${String(session)}`, "--message=who is this");
    expect((await exec.ended).code).not.toBe(0);
    expect(exec.stderr()).toContain(`session ${String(session)} is locked: who is this`);
    await ana.logIn();
    expect((await ana.kubectl(["get", "pods"])).code).toBe(0);
    await unlockAll(world);
  });

  it("on one live session: ends that one with the message, and no other of the same person", async () => {
    const sids = async (): Promise<readonly string[]> =>
      (await world.events()).filter((event) => event["event"] === "session.start" && event["user"] === "ana").map((event) => String(event["sid"]));
    const before = await sids();
    const first = await open();
    await expect.poll(async () => (await sids()).length).toBe(before.length + 1);
    const sid = (await sids()).at(-1) ?? "";
    const second = await open();
    expect((await lock(world, `--session=${sid}`, "--message=only this one")).stderr).toMatch(new RegExp(`^✔ session ${sid} is locked until the lock is removed; 1 session ended on 1 gateway`));
    expect((await first.ended).code).not.toBe(0);
    expect(first.stderr()).toContain(`session ${sid} is locked: only this one`);
    second.child.stdin?.write("still here\n");
    await second.waitFor(/still here/, "stdout");
    await second.stop();
    await expect.poll(async () => (await world.events()).findLast((event) => event["event"] === "session.end" && event["sid"] === sid)?.["reason"]).toContain("only this one");
    await unlockAll(world);
  });

  it("on somebody else leaves what is open alone", async () => {
    const exec = await open();
    expect((await lock(world, "--user=bo")).stderr).toContain("no live session was concerned");
    expect((await lock(world, "--user=ana", "--kube-cluster=other")).stderr).toContain("no live session was concerned");
    exec.child.stdin?.write("still here\n");
    await exec.waitFor(/still here/, "stdout");
    await exec.stop();
    await unlockAll(world);
  });
});
