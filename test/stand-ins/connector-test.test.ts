import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { localAdmin, newTerminal, openAuthWorld, origin, type AuthWorld } from "@gatehouse/core/auth/testing";
import type { SsoTestOutcome } from "@gatehouse/core/api";
import { parseResource, type GithubConnector } from "@gatehouse/core/resources";
import { githubConnector, startGithub, type Github, type GithubUser } from "./github.ts";

const octocats = { organization: "octocats", organizationId: 1 };
const developers = { ...octocats, team: "developers", teamId: 11 };
const ana: GithubUser = { login: "ana", id: 1001, teams: [developers] };
const containing = (text: string): string => expect.stringContaining(text) as string;

let github: Github;
let world: AuthWorld;
beforeEach(async () => {
  github = await startGithub({ users: [ana] });
  github.setUser("ana");
  world = await openAuthWorld({ providerTimeouts: { request: 300, login: 1000 } });
});
afterEach(async () => {
  await world.close();
  await github.close();
});

const connector = (spec: Record<string, unknown> = {}): Record<string, unknown> =>
  githubConnector(github, "127.0.0.1:3080", { teams_to_logins: [{ organization: "octocats", team: "developers", logins: ["ana"], kubernetes_groups: ["developers"] }], ...spec });

type Sealed = ReturnType<ReturnType<typeof newTerminal>["read"]>;

/** Goes through the browser, to the answer that the terminal gets. */
async function through(terminal: ReturnType<typeof newTerminal>, redirectUrl: string): Promise<Sealed> {
  const { cookie, location } = await world.auth.logins.openSso(new URL(redirectUrl).searchParams.get("id")!, origin);
  const answer = await fetch(location, { redirect: "manual" });
  const callback = new URL(answer.headers.get("location")!);
  const done = await world.auth.logins.finishSso({ kind: "github", parameters: Object.fromEntries(callback.searchParams), cookies: { [cookie!.name]: cookie!.value }, origin });
  return terminal.read(done.location);
}

async function test(given: Record<string, unknown>): Promise<{ readonly outcome?: SsoTestOutcome; readonly error?: Sealed["error"] }> {
  const terminal = newTerminal();
  const { redirectUrl } = await world.auth.admin.testConnector(localAdmin, parseResource(given) as GithubConnector, { clientRedirectUrl: terminal.clientRedirectUrl, origin });
  const { response, error } = await through(terminal, redirectUrl);
  return { ...(response ? { outcome: response as unknown as SsoTestOutcome } : {}), ...(error ? { error } : {}) };
}

async function logIn(): Promise<Sealed> {
  const terminal = newTerminal();
  const start = await world.auth.logins.startSso({ kind: "github", connectorId: "github", clientRedirectUrl: terminal.clientRedirectUrl, publicKey: terminal.publicKey, ttl: 3_600_000, compatibility: "", origin });
  return through(terminal, start.redirectUrl);
}

const kinds = ["user", "session", "identity", "subject", "github_pin", "github", "sso_request"];
const stored = async (): Promise<unknown> => Promise.all(kinds.map(async (kind) => [kind, await world.store.list(kind)]));

describe("a connector under test", () => {
  it("tells what a login would give, and leaves nothing behind", async () => {
    const before = await stored();
    const { outcome } = await test(connector());
    expect(outcome).toMatchObject({
      name: "ana",
      id: "1001",
      received: { login: "ana", teams: ["octocats/developers"] },
      rules: [{ rule: "octocats/developers", matched: true, gives: ["role access", "login ana", "group developers"] }],
      roles: ["access"],
      missing_roles: [],
      logins: ["ana"],
    });
    expect(outcome?.problem).toBeUndefined();
    expect(await stored()).toEqual(before);
    expect(JSON.stringify(outcome)).not.toContain(github.clientSecret);
  });

  it("tells of a login that the mapping, a pin, another person's name or a missing role would end, as that login does", async () => {
    await world.put(connector());
    await logIn();
    const refused = async (code: string, text: string): Promise<void> => {
      const before = await stored();
      const { outcome } = await test(connector());
      expect(outcome?.problem).toMatchObject({ code, message: containing(text) });
      expect(await stored()).toEqual(before);
      expect((await logIn()).error).toMatchObject({ code, message: containing(text) });
    };
    github.setUsers([{ ...ana, teams: [] }]);
    await refused("access_denied", "none of the teams");
    github.setUsers([{ ...ana, teams: [{ ...developers, teamId: 99 }] }]);
    await refused("access_denied", "is not the one that connector");
    github.setUsers([{ ...ana, id: 2002 }]);
    await refused("access_denied", "belongs to another identity");
    github.setUsers([ana]);
    expect((await test(connector({ teams_to_roles: [{ organization: "octocats", team: "developers", roles: ["nosuch"] }] }))).outcome).toMatchObject({
      roles: ["access", "nosuch"],
      missing_roles: ["nosuch"],
      problem: { code: "not_found", message: 'role "nosuch" does not exist' },
    });
  });

  it("is audited as a test, not as a login, whatever came of it", async () => {
    await test(connector());
    github.setFault("token", "500", 1);
    expect((await test(connector())).error).toMatchObject({ code: "internal", message: containing("500") });
    const { events } = world.audit;
    expect(events.filter(({ event }) => event === "user.login")).toEqual([]);
    expect(events.filter(({ event }) => event === "sso.test")).toMatchObject([
      { connector: "github", method: "github", external_name: "ana", success: true },
      { connector: "github", method: "github", success: false, error: containing("500") },
    ]);
  });
});
