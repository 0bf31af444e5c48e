import { readFile, rename, rm } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { parseAllDocuments, stringify } from "yaml";
import { requireTool } from "../../packages/core/src/testing/index.ts";
import { newDesk, quietExecInfo, type Desk } from "../support/desk.ts";
import { createClientWorld, type Machine } from "../support/machine.ts";
import { run, type Outcome } from "../support/process.ts";
import { tshPath, type World } from "../support/world.ts";

const hasSsh = requireTool("ssh-add", "Debian: openssh-client");
let world: World;
beforeAll(async () => {
  world = await createClientWorld(["example"]);
});
afterAll(() => world.close());

const desks: Desk[] = [];
afterEach(async () => {
  world.github.setFault("user", undefined);
  for (const { machine } of desks.splice(0)) await machine.tsh(["agent", "stop", "--force"]);
});

const profileName = (): string => world.proxy.replace(":", "_");
const keyFile = ({ home }: Machine): string => join(home, ".tsh/keys", `${profileName()}.json`);
const certificateOf = ({ stdout }: Outcome): string => (JSON.parse(stdout) as { status: { clientCertificateData: string } }).status.clientCertificateData;

async function desk(): Promise<Desk> {
  const made = await newDesk(world);
  desks.push(made);
  return made;
}

/** A desk with a login in a file, and an agent. */
async function loggedIn(): Promise<Desk> {
  const made = await desk();
  expect(await made.machine.logIn()).toMatchObject({ code: 0 });
  expect(await made.machine.tsh(["agent", "start"])).toMatchObject({ code: 0 });
  return made;
}

/** One line of the agent's own words. */
function ask(machine: Machine, verb: string, more: Readonly<Record<string, unknown>> = {}): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(join(machine.home, ".tsh/run/agent.sock"));
    let text = "";
    socket.setEncoding("utf8").on("data", (piece: string) => (text += piece));
    socket.once("error", reject).once("close", () => resolve(text));
    socket.end(`${JSON.stringify({ v: 1, verb, ...more })}\n`);
  });
}

const all = (code: string): readonly string[] => Array.from({ length: 40 }, () => code);

describe("forty plugins at once, with an agent", () => {
  it("have forty answers while the login is good, also when the agent is killed among them", async () => {
    const { machine, forty, agent, opened } = await loggedIn();
    const before = await opened();
    expect(await forty()).toEqual({ codes: all("0"), stderr: "" });
    const { pid } = await agent();
    const under = forty();
    process.kill(pid, "SIGKILL");
    expect(await under).toEqual({ codes: all("0"), stderr: "" });
    const answers = await Promise.all(Array.from({ length: 40 }, (_, index) => readFile(join(machine.home, `out.${index}`), "utf8")));
    expect(new Set(answers).size).toBe(1);
    expect(await opened()).toBe(before);
  });

  it("fail with one reason when it has ended, and nobody has opted in", async () => {
    const { forty, opened, end } = await loggedIn();
    const before = await opened();
    await end();
    const { codes, stderr } = await forty();
    expect(codes).toEqual(all("3"));
    expect(stderr).toMatch(new RegExp(`^tsh: your login to ${world.proxy} ended \\S.* ago; run: tsh login --proxy=${world.proxy} --auth=github\\n$`));
    expect(await opened()).toBe(before);
  });

  it("wait for one login in one browser with relogin=agent", async () => {
    const { machine, forty, opened, credentials, end } = await loggedIn();
    expect(await machine.tsh(["agent", "config", "relogin=agent"])).toMatchObject({ code: 0 });
    const [old, before] = [certificateOf(await credentials()), await opened()];
    await end();
    expect(await forty()).toEqual({ codes: all("0"), stderr: "" });
    expect((await opened()) - before).toBe(1);
    expect(certificateOf(await credentials())).not.toBe(old);
    expect(certificateOf(await credentials({ TSH_AGENT: "off" }))).toBe(certificateOf(await credentials()));
  });

  it("hear at once why that one login failed, and open no other", async () => {
    const { machine, forty, opened, credentials, end } = await loggedIn();
    await machine.tsh(["agent", "config", "relogin=agent"]);
    const before = await opened();
    await end();
    world.github.setFault("user", "500");
    const { codes, stderr } = await forty();
    expect(codes).toEqual(all("3"));
    expect(stderr).toMatch(/^tsh: your login to \S+ ended .* ago \(login failed: .*\); run: tsh login --proxy=\S+ --auth=github\n$/);
    world.github.setFault("user", undefined);
    // Of another job, which has heard nothing yet.
    const again = await run("setsid", ["-w", "/bin/sh", "-c", `"${process.execPath}" "${tshPath}" kube credentials --proxy=${world.proxy}; exit $?`], { env: { ...machine.env, KUBERNETES_EXEC_INFO: quietExecInfo } });
    expect(again).toMatchObject({ code: 3, stdout: "", stderr: expect.stringContaining("the agent opens one browser in ten minutes: login failed: ") as string });
    expect((await opened()) - before).toBe(1);
    expect((await machine.logIn()).code).toBe(0);
    expect((await credentials()).code).toBe(0);
  });
});

describe("logins that come and go while the agent runs", () => {
  it("are seen at once, told of or not", async () => {
    const { machine, credentials } = await loggedIn();
    const quiet = { env: { ...machine.env, TSH_AGENT: "off" } };
    const old = certificateOf(await credentials());
    expect(await machine.tsh(["login", `--proxy=${world.proxy}`, "--keystore=file", "--force"], quiet)).toMatchObject({ code: 0 });
    const made = certificateOf(await credentials());
    expect(made).not.toBe(old);
    expect(await ask(machine, "credentials", { profile: profileName() })).toContain(JSON.stringify(made).slice(1, -1).replaceAll("\\", "\\\\"));
    const listed = async (): Promise<string> => (await run("ssh-add", ["-l"], { env: { ...machine.env, SSH_AUTH_SOCK: join(machine.home, ".tsh/run/ssh.sock") } })).stdout;
    if (hasSsh) expect(await listed()).toContain("gatehouse ana@127.0.0.1 (ECDSA-CERT)");
    expect(await machine.tsh(["logout"], quiet)).toMatchObject({ code: 0 });
    if (hasSsh) expect(await listed()).not.toContain("gatehouse");
    expect(await ask(machine, "credentials", { profile: profileName() })).toContain('"record":null');
    expect(await credentials()).toMatchObject({ code: 3, stdout: "" });
  });

  it("are not got at around a locked agent", async () => {
    const { machine, credentials } = await loggedIn();
    expect(await ask(machine, "lock", { passphrase: "word" })).toContain('"ok":true');
    expect(await credentials()).toMatchObject({ code: 3, stdout: "", stderr: expect.stringContaining("unlock: tsh agent unlock") as string });
    expect((await machine.tsh(["kube", "ls"])).code).toBe(3);
    expect(await ask(machine, "unlock", { passphrase: "word" })).toContain('"ok":true');
    expect((await credentials()).code).toBe(0);
  });

  it("need no gateway while they are good", async () => {
    const { credentials } = await loggedIn();
    await world.gateway.stop();
    try {
      expect((await credentials()).code).toBe(0);
    } finally {
      await world.restart();
    }
  });
});

describe("a gateway that was replaced by one with authorities of its own", () => {
  it("is not believed, and every command says what to do; what the agent holds is given out as before", async () => {
    const { machine, credentials } = await loggedIn();
    await world.gateway.stop();
    await rename(world.dataDir, `${world.dataDir}.before`);
    await world.restart();
    try {
      const pinned = expect.stringMatching(/no authority known here vouches for its certificate[^]*tsh login --proxy=\S+ --ca-pin=sha256:/) as string;
      for (const words of [["kube", "ls"], ["ls"], ["kube", "login", "example"]]) expect([words, await machine.tsh(words)]).toEqual([words, expect.objectContaining({ code: 7, stdout: "", stderr: pinned }) as Outcome]);
      expect((await machine.tsh(["doctor"])).stdout).toMatch(/✖ +gateway/);
      // Until when a certificate is good is not the gateway's to say: kubectl is told by TLS whom it has reached.
      expect((await credentials()).code).toBe(0);
      expect(await ask(machine, "status")).toContain('"ok":true');
    } finally {
      await world.gateway.stop();
      await rm(world.dataDir, { recursive: true });
      await rename(`${world.dataDir}.before`, world.dataDir);
      await world.restart();
    }
    expect(await machine.tsh(["kube", "ls"])).toMatchObject({ code: 0 });
  });
});

describe("a login that is past half of its life", () => {
  const until = async (what: () => Promise<boolean>): Promise<void> => {
    const deadline = Date.now() + 60_000;
    while (!(await what())) {
      if (Date.now() > deadline) throw new Error("that never came");
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  };
  interface Role {
    spec: { options?: Record<string, unknown> };
  }
  /** Lets the preset role's logins be renewed. */
  async function allowRenewal(): Promise<void> {
    const [role] = parseAllDocuments((await world.tctl(["get", "role/access"])).stdout).map((document) => document.toJS() as Role);
    if (!role) throw new Error("there is no role access");
    role.spec.options = { ...role.spec.options, certificate_renewal: "any" };
    expect(await world.tctl(["create", "-f", "-"], { input: stringify(role) })).toMatchObject({ code: 0 });
  }

  it("is renewed in the background where a role allows it, once the gateway can be reached, and stored where it was", async () => {
    await allowRenewal();
    const { machine, credentials, opened, rewrite } = await loggedIn();
    const [old, before] = [certificateOf(await credentials()), await opened()];
    await world.gateway.stop();
    try {
      await rewrite({ issued: Date.now() - 20 * 3_600_000, expires: Date.now() + 2 * 3_600_000 });
      await until(async () => (await ask(machine, "status")).includes('"renewal":"retrying"'));
      expect(certificateOf(await credentials())).toBe(old);
    } finally {
      await world.restart();
    }
    await until(async () => certificateOf(await credentials()) !== old);
    expect(certificateOf(await credentials({ TSH_AGENT: "off" }))).toBe(certificateOf(await credentials()));
    expect(await opened()).toBe(before);
    expect(await machine.tsh(["kube", "ls"])).toMatchObject({ code: 0 });
    expect(await ask(machine, "status")).toContain('"renewal":"waiting"');
  });

  it("is renewed in a kubeconfig that it was written into, whatever kubeconfig the agent knows, and a new one of the agent's goes there too", async () => {
    await allowRenewal();
    const { machine, credentials, rewrite, end } = await loggedIn();
    const file = join(machine.home, "embedded");
    const there = { env: { ...machine.env, KUBECONFIG: file } };
    expect(await machine.tsh(["login", "--embed"], there)).toMatchObject({ code: 0 });
    const embedded = async (): Promise<string> => Buffer.from(/client-certificate-data: (\S+)/.exec(await readFile(file, "utf8"))?.[1] ?? "", "base64").toString();
    const old = await embedded();
    expect(old).toBe(certificateOf(await credentials()));
    await rewrite({ issued: Date.now() - 20 * 3_600_000, expires: Date.now() + 2 * 3_600_000 });
    await until(async () => (await embedded()) !== old);
    expect(await embedded()).toBe(certificateOf(await credentials()));

    expect(await machine.tsh(["login", "--embed"])).toMatchObject({ code: 0 });
    expect(await machine.tsh(["agent", "config", "relogin=agent"])).toMatchObject({ code: 0 });
    await end();
    const made = certificateOf(await credentials());
    expect(await readFile(machine.kubeconfig, "utf8")).toContain(Buffer.from(made).toString("base64"));
  });

  it("is renewed by itself once a lock that stood in the way has gone", async () => {
    await allowRenewal();
    const { machine, credentials, opened, rewrite } = await loggedIn();
    const [old, before] = [certificateOf(await credentials()), await opened()];
    const locking = await world.tctl(["lock", "--user=ana", "--message=laptop lost"]);
    const [, lock = ""] = /tctl locks rm (\S+)/.exec(locking.stderr) ?? [];
    try {
      await rewrite({ issued: Date.now() - 20 * 3_600_000, expires: Date.now() + 60_000 });
      await until(async () => (await ask(machine, "status")).includes('"renewal":"refused"'));
      expect((await machine.tsh(["agent", "status"])).stdout).toContain("the gateway refuses to renew it; asks again at");
    } finally {
      expect(await world.tctl(["locks", "rm", lock])).toMatchObject({ code: 0 });
    }
    await until(async () => certificateOf(await credentials()) !== old);
    expect(await opened()).toBe(before);
    expect(await ask(machine, "status")).toContain('"renewal":"waiting"');
  });
});

describe("the keystore memory", () => {
  const inMemory = (): readonly string[] => ["login", `--proxy=${world.proxy}`, "--auth=github", `--ca-pin=${world.ready.ca_pin}`, "--keystore=memory"];

  it("keeps the key in the agent alone, moves without a new login, and ends with a logout", async () => {
    const { machine, credentials, opened } = await desk();
    expect(await machine.tsh(inMemory())).toMatchObject({ code: 0, stderr: expect.stringContaining("logged in as") as string });
    const key = (JSON.parse((await credentials()).stdout) as { status: { clientKeyData: string } }).status.clientKeyData;
    const secret = key.split("\n")[1] ?? "";
    const found = async (): Promise<readonly string[]> => [...(await machine.files())].flatMap(([path, text]) => (text.includes(secret) || text.includes("PRIVATE KEY") ? [path] : []));
    expect(secret.length).toBeGreaterThan(40);
    expect(await found()).toEqual([]);
    const before = await opened();
    expect(await machine.tsh(["login", "--keystore=file"])).toMatchObject({ code: 0, stderr: expect.stringContaining("already logged in as") as string });
    expect(await found()).toEqual([keyFile(machine)]);
    expect(await machine.tsh(["login", "--keystore=memory"])).toMatchObject({ code: 0 });
    expect(await found()).toEqual([]);
    expect(await ask(machine, "secret-get", { account: profileName() })).toContain("PRIVATE KEY");
    expect((JSON.parse((await credentials()).stdout) as { status: { clientKeyData: string } }).status.clientKeyData).toBe(key);
    expect((await machine.tsh(["status"])).stdout).toContain("the local agent's memory");
    expect(await opened()).toBe(before);
    expect(await machine.tsh(["logout"])).toMatchObject({ code: 0 });
    expect(await ask(machine, "secret-get", { account: profileName() })).toContain('"text":null');
  });

  it("is refused before a browser opens where no agent may run, or one is locked, and lost with one that is killed", async () => {
    const { machine, credentials, agent, opened } = await desk();
    for (const [env, why] of [[{ TSH_AGENT: "off" }, "TSH_AGENT=off"], [{ CI: "true" }, "no command starts in CI"]] as const) {
      const refused = await machine.tsh(inMemory(), { env: { ...machine.env, ...env } });
      expect(refused).toMatchObject({ code: 2, stderr: expect.stringContaining(why) as string });
    }
    await machine.tsh(["agent", "start"]);
    await ask(machine, "lock", { passphrase: "word" });
    expect(await machine.tsh(inMemory())).toMatchObject({ code: 3, stderr: expect.stringContaining("the local agent is locked") as string });
    await ask(machine, "unlock", { passphrase: "word" });
    expect(await opened()).toBe(0);
    expect(await machine.tsh(inMemory())).toMatchObject({ code: 0 });
    process.kill((await agent()).pid, "SIGKILL");
    expect(await credentials()).toMatchObject({ code: 3, stderr: `tsh: your login to ${world.proxy} is gone: the local agent that kept it has ended; run: tsh login --proxy=${world.proxy} --auth=github\n` });
    // The wish stays: a new login goes to a new agent.
    expect(await machine.tsh(["login", `--proxy=${world.proxy}`, "--auth=github"])).toMatchObject({ code: 0 });
    expect((await credentials()).code).toBe(0);
    expect(await ask(machine, "secret-get", { account: profileName() })).toContain("PRIVATE KEY");
  });
});
