import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { howToGetACluster, realCluster } from "../support/cluster.ts";
import { runInTerminal, type TerminalProgram } from "../support/terminal.ts";
import { createWorld, type Person, type World } from "../support/world.ts";

const cluster = realCluster();
if (!cluster) console.warn(howToGetACluster);

/** A role of one's own that may exec, with these options. */
const role = (name: string, options: string, group = "developers"): string =>
  `kind: role\nversion: v3\nmetadata: {name: ${name}}\nspec:\n  options: {${options}}\n  allow: {kubernetes_groups: [${group}]}\n`;

describe.skipIf(!cluster)("somebody at a shell in a pod reads why it ends", () => {
  let world: World;
  beforeAll(async () => {
    world = await createWorld({
      kubeconfig: cluster!.gatewayKubeconfig,
      connector: {
        teams_to_logins: [],
        teams_to_roles: [
          { organization: "octocats", team: "developers", roles: ["dev"] },
          { organization: "octocats", team: "viewers", roles: ["short"] },
          { organization: "octocats", team: "admins", roles: ["idle"] },
        ],
      },
    });
    for (const text of [role("dev", ""), role("short", "max_session_ttl: 1m"), role("idle", "client_idle_timeout: 3s")]) {
      expect((await world.tctl(["create", "-f", "-"], { input: text })).code).toBe(0);
    }
  });
  afterAll(() => world.close());

  async function shell(person: Person): Promise<TerminalProgram> {
    const open = runInTerminal("kubectl", ["exec", "-ti", "shell", "--", "sh"], { cols: 200, rows: 30, env: person.env });
    await open.until(/[#$] /);
    return open;
  }

  /** The shell's end: not a success, the reason on the screen, and the same reason in the audit log. */
  async function endsWith(open: TerminalProgram, reason: RegExp, user: string): Promise<void> {
    expect(await open.exited).not.toBe(0);
    expect(open.output()).toMatch(reason);
    const told = async () => (await world.events()).findLast((event) => event["event"] === "client.disconnect" && event["user"] === user);
    await expect.poll(async () => String((await told())?.["reason"])).toMatch(reason);
  }

  const person = async (name: string): Promise<Person> => {
    const found = await world.person(name);
    await found.logIn();
    return found;
  };

  it("a role that changed", async () => {
    const open = await shell(await person("ana"));
    const changed = await world.tctl(["create", "-f", "-"], { input: role("dev", "", "viewers") });
    expect(changed.stderr).toContain("1 live session re-checked, 1 ended");
    await endsWith(open, /access ended: ana no longer has group developers in Kubernetes cluster "example"/, "ana");
    expect((await world.tctl(["create", "-f", "-"], { input: role("dev", "") })).code).toBe(0);
  });

  it("a lock", async () => {
    const open = await shell(await person("ana"));
    expect((await world.tctl(["lock", "--role=dev", "--message=the audit has begun", "--ttl=1h"])).stderr).toContain("1 session ended on 1 gateway");
    await endsWith(open, /access ended: role "dev" is locked until \S+: the audit has begun \(lock \S+\)/, "ana");
    const locks = JSON.parse((await world.tctl(["locks", "ls", "--format=json"])).stdout) as { name: string }[];
    expect((await world.tctl(["locks", "rm", ...locks.map(({ name }) => name)])).code).toBe(0);
  });

  it("the removal of the user", async () => {
    const open = await shell(await person("ana"));
    expect((await world.tctl(["users", "rm", "ana"])).stderr).toContain("1 live session re-checked, 1 ended");
    await endsWith(open, /access ended: user "ana" was removed, and your login session has ended with it/, "ana");
  });

  it("nothing sent for too long, by the role's option", async () => {
    const open = await shell(await person("cy"));
    await endsWith(open, /access ended: nothing was sent for 3 s, the longest idle time that is allowed/, "cy");
  });

  it("the end of the certificate, whatever disconnect_expired_cert says", async () => {
    const open = await shell(await person("bo"));
    // Active all the time: it is the certificate that ends.
    const typing = setInterval(() => open.pty.write("echo\r"), 1000);
    try {
      await endsWith(open, /access ended: your certificate expired at \S+Z; log in again: tsh login/, "bo");
    } finally {
      clearInterval(typing);
    }
  });
});
