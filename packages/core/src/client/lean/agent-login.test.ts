import { once } from "node:events";
import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { GatehouseError, manualClock } from "../../base/index.ts";
import { AgentLocked, agentPlace, formatAgentAnswer, formatAgentRefusal, type AgentPlace } from "../local-agent/index.ts";
import { kubeCredentials, type CredentialsAnswer, type CredentialsOptions } from "./credentials.ts";
import { clientHome, type ClientHome } from "./home.ts";
import { memoryKeystore } from "./memory-keystore.ts";
import { openLogins } from "./logins.ts";
import { formatRecord, type LoginRecord } from "./record.ts";

const now = Date.parse("2026-11-24T09:00:00Z");
const profile = "gw.example.com";
let folder: string;
let home: ClientHome;
let place: AgentPlace;
let asked: Record<string, unknown>[];
let servers: Server[];
let sockets: Socket[];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "gh-al-"));
  home = clientHome({ HOME: folder });
  place = agentPlace({}, home);
  asked = [];
  servers = [];
  sockets = [];
  await mkdir(home.path, { mode: 0o700 });
});
afterEach(async () => {
  for (const socket of sockets) socket.destroy();
  for (const server of servers) server.close();
  await rm(folder, { recursive: true, force: true });
});

const record = (username: string, left = 3_600_000): LoginRecord => ({ version: 1, proxy: `${profile}:3080`, cluster: "example", username, privateKey: "KEY", sshCertificate: "SSH", tlsCertificate: username, hostKeys: [], hostCertificates: ["CA"], issued: now, expires: now + left });

async function store(login: LoginRecord | undefined, keystore = "file"): Promise<void> {
  if (login) await openLogins(home, "file", {}).write(profile, login);
  await writeFile(home.profile(profile), `web_proxy_addr: ${profile}:3080\nauth_type: github\nkeystore: ${keystore}\nvalid_until: "2026-11-24T10:00:00.000Z"\n`);
}

/** An agent that answers each request so; undefined leaves it waiting. */
async function agent(answer: (request: Record<string, unknown>) => string | undefined): Promise<void> {
  await mkdir(place.directory, { recursive: true, mode: 0o700 });
  const server = createServer((socket) => {
    sockets.push(socket.on("error", () => undefined));
    socket.on("data", (line: Buffer) => {
      const request = JSON.parse(line.toString("utf8")) as Record<string, unknown>;
      asked.push(request);
      const text = answer(request);
      if (text !== undefined) socket.end(text);
    });
  });
  servers.push(server);
  server.listen(place.control);
  await once(server, "listening");
  await chmod(place.control, 0o600);
}

function credentials(options: Partial<CredentialsOptions> & { readonly env?: NodeJS.ProcessEnv } = {}): Promise<CredentialsAnswer> {
  return kubeCredentials({
    clock: manualClock(now),
    proxy: profile,
    parent: 77,
    stdinIsTerminal: () => false,
    hasTerminal: () => Promise.resolve(true),
    login: () => Promise.reject(new Error("nobody was to be asked")),
    ...options,
    env: { HOME: folder, KUBERNETES_EXEC_INFO: JSON.stringify({ apiVersion: "client.authentication.k8s.io/v1", kind: "ExecCredential", spec: { interactive: false } }), ...options.env },
  });
}

const user = ({ stdout }: CredentialsAnswer): string => (JSON.parse(stdout) as { status: { clientCertificateData: string } }).status.clientCertificateData;
const given = (login: LoginRecord | null): string => formatAgentAnswer({ record: login && formatRecord(login) });

describe("credentials with a local agent", () => {
  it("come from it in one question, and from the keystore where it has none or is turned off", async () => {
    await store(record("stored"));
    let has: LoginRecord | null = record("held");
    await agent(() => given(has));
    expect(user(await credentials())).toBe("held");
    expect(asked).toEqual([{ v: 1, verb: "credentials", profile }]);
    expect(user(await credentials({ env: { TSH_AGENT: "off" } }))).toBe("stored");
    expect(asked).toHaveLength(1);
    has = null;
    expect(user(await credentials())).toBe("stored");
    has = record("nearly ended", 20_000);
    expect(user(await credentials())).toBe("stored");
  });

  it("come from the keystore where it hangs, breaks off, fails, or speaks another version", async () => {
    await store(record("stored"));
    for (const text of [undefined, "", "{\n", "\n", "[]\n", '{"v":2,"ok":true}\n', formatAgentRefusal(new GatehouseError("internal", "the keychain is locked")), formatAgentAnswer({ record: 7 })]) {
      await agent(() => text);
      expect(await credentials()).toMatchObject({ exitCode: 0, stderr: "" });
      expect(asked).toHaveLength(1);
      asked = [];
      await new Promise((resolve) => servers.pop()?.close(resolve) ?? resolve(undefined));
      for (const socket of sockets.splice(0)) socket.destroy();
    }
  });

  it("are not got around a locked agent; that is said once", async () => {
    await store(record("stored"));
    await agent(() => formatAgentRefusal(new AgentLocked()));
    await expect(credentials()).rejects.toMatchObject({ exitCode: 3, message: "the local agent is locked", hint: "unlock: tsh agent unlock" });
    expect(await credentials()).toEqual({ stdout: "", stderr: "", exitCode: 3 });
    await expect(credentials({ parent: 78 })).rejects.toThrow("locked");
  });

  it("say once what stands in its place, and go on", async () => {
    await store(record("stored"));
    await mkdir(place.directory, { mode: 0o700 });
    await symlink("/tmp", place.control);
    const first = await credentials();
    expect(first.stderr).toBe(`tsh: the local agent is not used: ${place.control} is a link (look at it, and remove it if it is nobody's: ls -ld ${place.control})\n`);
    expect(user(first)).toBe("stored");
    expect((await credentials()).stderr).toBe("");
    await rm(place.control);
    await chmod(place.directory, 0o755);
    expect((await credentials({ parent: 78 })).stderr).toContain("is open to others (mode 755)");
  });
});

describe("a login that has ended", () => {
  it("is made anew by the agent for whoever cannot be asked", async () => {
    await store(record("stored", -1000));
    await agent(({ verb }) => (verb === "relogin" ? formatAgentAnswer({ record: formatRecord(record("new")), reason: null }) : given(null)));
    expect(user(await credentials())).toBe("new");
    expect(asked.at(-1)).toEqual({ v: 1, verb: "relogin", profile });
  });

  it("is told with the agent's reason where it has one, once", async () => {
    await store(record("stored", -180_000));
    let reason: string | null = "the login in the browser failed: \u001b[1mno";
    await agent(({ verb }) => (verb === "relogin" ? formatAgentAnswer({ record: null, reason }) : given(null)));
    const answer = await credentials();
    expect(answer).toMatchObject({ exitCode: 3, stdout: "" });
    expect(answer.stderr).toBe("tsh: your login to gw.example.com ended 3 min ago (the login in the browser failed: \\x1b[1mno); run: tsh login --proxy=gw.example.com --auth=github\n");
    expect((await credentials()).stderr).toBe("");
    reason = null;
    expect((await credentials({ parent: 78 })).stderr).toBe("tsh: your login to gw.example.com ended 3 min ago; run: tsh login --proxy=gw.example.com --auth=github\n");
  });
});

describe("the keystore memory", () => {
  it("is the agent's, asked over its socket", async () => {
    const held = new Map<unknown, unknown>();
    await agent(({ verb, account, text }) => {
      if (verb === "secret-set") held.set(account, text);
      return formatAgentAnswer(verb === "secret-get" ? { text: held.get(account) ?? null } : verb === "secret-delete" ? { removed: held.delete(account) } : {});
    });
    const logins = openLogins(home, "memory", {});
    expect(await logins.read(profile)).toBeUndefined();
    await logins.write(profile, record("ana"));
    expect(await logins.read(profile)).toEqual(record("ana"));
    expect([await logins.remove(profile), await logins.remove(profile)]).toEqual([true, false]);
  });

  it("holds nothing without one, takes nothing, and says so", async () => {
    for (const [env, why, code] of [[{}, "none runs", "not_found"], [{ TSH_AGENT: "off" }, "TSH_AGENT=off", "usage"]] as const) {
      const keystore = memoryKeystore(home, env);
      expect(await keystore.getPassword(profile)).toBeUndefined();
      expect(await keystore.deletePassword(profile)).toBe(false);
      await expect(keystore.setPassword(profile, "x")).rejects.toMatchObject({ code, message: expect.stringContaining(why) as string });
    }
    await store(undefined, "memory");
    expect((await credentials()).stderr).toBe("tsh: your login to gw.example.com is gone: the local agent that kept it has ended; run: tsh login --proxy=gw.example.com --auth=github\n");
  });
});
