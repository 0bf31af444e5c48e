import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import fc from "fast-check";
import { afterEach, describe, expect, it } from "vitest";
import { GatehouseError } from "../base/index.ts";
import type { GithubConnector } from "../resources/index.ts";
import { nextLink } from "./github/link.ts";
import { createGithubProvider } from "./github/client.ts";
import { mapTeams, type GithubOrganization, type GithubTeam, type Provider } from "./index.ts";

const open: (Server | Provider)[] = [];
afterEach(async () => {
  for (const one of open.splice(0)) {
    if ("authenticate" in one) await one.close();
    else await new Promise((resolve) => one.close(resolve).closeAllConnections());
  }
});

async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  open.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`;
}

function connector(spec: Partial<GithubConnector["spec"]> = {}): GithubConnector {
  return {
    kind: "github",
    version: "v3",
    metadata: { name: "github" },
    spec: {
      client_id: "id",
      client_secret: "hush-hush",
      display: "",
      redirect_url: "https://gateway.example/v1/webapi/github/callback",
      teams_to_logins: [],
      teams_to_roles: [],
      ...spec,
    },
  };
}

/** A client of a GitHub that answers what this says, by path. */
async function client(
  answers: (path: string, origin: string) => { readonly body: unknown; readonly headers?: Record<string, string> },
  spec: Partial<GithubConnector["spec"]> = {},
): Promise<Provider> {
  const origin = await serve((request, response) => {
    request.resume();
    const { body, headers = {} } = answers(request.url ?? "", `http://${request.headers.host ?? ""}`);
    response.writeHead(200, headers).end(typeof body === "string" ? body : JSON.stringify(body));
  });
  const made = createGithubProvider(connector({ endpoint_url: origin, api_endpoint_url: `${origin}/api/v3/`, ...spec }), { timeouts: { request: 1000, login: 5000 } });
  open.push(made);
  return made;
}

const token = { access_token: "gho_token", token_type: "bearer" };
const team = (id: number): unknown => ({ id, slug: `team-${String(id)}`, organization: { login: "octocats", id: 1 } });
const login = { state: "s t&a=te", codeVerifier: "v".repeat(43), callbackUrl: "https://gateway.example/v1/webapi/github/callback" };
const ask = async (github: Provider) => {
  const { name, id, memberships } = await github.authenticate({ ...login, parameters: { code: "code" } });
  return { login: name, id: Number(id), ...memberships };
};

describe("the addresses of a GitHub", () => {
  it("are GitHub's own where nothing else is said", async () => {
    const made = createGithubProvider(connector());
    open.push(made);
    const url = new URL(await made.authorizeUrl(login));
    expect(url.origin + url.pathname).toBe("https://github.com/login/oauth/authorize");
    expect(url.searchParams.get("state")).toBe("s t&a=te");
    expect(url.searchParams.get("redirect_uri")).toBe("https://gateway.example/v1/webapi/github/callback");
  });

  it.each(["http://github.example", "ftp://127.0.0.1", "https://user:pw@github.example", "https://github.example/?a=b", "https://github.example/#x", "github.example", "http://127.0.0.1.evil.example"])(
    "%s is refused",
    (url) => {
      expect(() => createGithubProvider(connector({ endpoint_url: url }))).toThrow(GatehouseError);
      expect(() => createGithubProvider(connector({ api_endpoint_url: url }))).toThrow(GatehouseError);
    },
  );
});

describe("what a GitHub answers", () => {
  it("follows pages below a base path", async () => {
    const github = await client((path, origin) => {
      if (path.endsWith("/access_token")) return { body: token };
      if (path === "/api/v3/user") return { body: { login: "ana", id: 1001, extra: "ignored" } };
      if (path.endsWith("per_page=100")) return { body: [team(1)], headers: { link: `<${origin}/api/v3/user/teams?page=2>; rel="next", <${origin}/x>; rel="last"` } };
      return { body: [team(2)] };
    });
    expect(await ask(github)).toEqual({
      login: "ana",
      id: 1001,
      teams: [1, 2].map((id) => ({ organization: "octocats", organizationId: 1, team: `team-${String(id)}`, teamId: id })),
    });
  });

  it("asks for organizations where some mapping is about a whole one, by pages, and takes active members alone", async () => {
    const asked: string[] = [];
    const member = (login: string, id: number, state: string): unknown => ({ state, role: "member", organization: { login, id } });
    const answers: Parameters<typeof client>[0] = (path, origin) => {
      asked.push(path);
      if (path.endsWith("/access_token")) return { body: token };
      if (path === "/api/v3/user") return { body: { login: "ana", id: 1001 } };
      if (path.startsWith("/api/v3/user/teams")) return { body: [] };
      if (path === "/api/v3/user/memberships/orgs?state=active&per_page=100") return { body: [member("octocats", 1, "active"), member("invited", 2, "pending")], headers: { link: `<${origin}/api/v3/user/memberships/orgs?page=2>; rel="next"` } };
      return { body: [member("acme", 3, "active")] };
    };
    const whole = { teams_to_roles: [{ organization: "octocats", roles: ["r"] }] };
    expect(await ask(await client(answers, whole))).toMatchObject({ organizations: [{ organization: "octocats", organizationId: 1 }, { organization: "acme", organizationId: 3 }] });
    asked.length = 0;
    expect(await ask(await client(answers, { teams_to_roles: [{ organization: "octocats", team: "t", roles: ["r"] }] }))).toMatchObject({ organizations: undefined });
    expect(asked.filter((path) => path.includes("memberships"))).toEqual([]);
  });

  it("is asked below the paths of a GitHub Enterprise server", async () => {
    const asked: string[] = [];
    let at = "";
    const github = await client((path, origin) => {
      asked.push(path);
      at = origin;
      if (path.endsWith("/access_token")) return { body: token };
      return { body: path.endsWith("/user") ? { login: "ana", id: 1 } : [] };
    }, { teams_to_logins: [{ organization: "octocats", logins: ["ana"], kubernetes_groups: [] }] });
    await ask(github);
    expect(asked).toEqual(["/login/oauth/access_token", "/api/v3/user", "/api/v3/user/teams?per_page=100", "/api/v3/user/memberships/orgs?state=active&per_page=100"]);
    expect(new URL(await github.authorizeUrl(login)).href).toContain(`${at}/login/oauth/authorize?`);
    for (const slash of ["", "/"]) {
      const enterprise = createGithubProvider(connector({ endpoint_url: `https://ghe.example.com/github${slash}`, api_endpoint_url: `https://ghe.example.com/api/v3${slash}` }));
      open.push(enterprise);
      expect(await enterprise.authorizeUrl(login)).toMatch(/^https:\/\/ghe\.example\.com\/github\/login\/oauth\/authorize\?/);
    }
  });

  it("sends the token to no other server", async () => {
    const seen: (string | undefined)[] = [];
    const other = await serve((request, response) => {
      seen.push(request.headers.authorization);
      response.end("[]");
    });
    const github = await client((path) => {
      if (path.endsWith("/access_token")) return { body: token };
      return path === "/api/v3/user" ? { body: { login: "ana", id: 1 } } : { body: [], headers: { link: `<${other}/user/teams?page=2>; rel="next"` } };
    });
    await expect(ask(github)).rejects.toMatchObject({ code: "internal", message: expect.stringContaining("another server") as string });
    expect(seen).toEqual([]);
  });

  it("stops after a hundred pages", async () => {
    let pages = 0;
    const github = await client((path, origin) => {
      if (path.endsWith("/access_token")) return { body: token };
      if (path === "/api/v3/user") return { body: { login: "ana", id: 1 } };
      pages += 1;
      return { body: [], headers: { link: `<${origin}/api/v3/user/teams?page=${String(pages)}>; rel="next"` } };
    });
    await expect(ask(github)).rejects.toMatchObject({ code: "limit_exceeded" });
    expect(pages).toBe(100);
  });

  it.each([
    [{ login: "system:masters", id: 1 }],
    [{ login: "-ana", id: 1 }],
    [{ login: "ana\u001b[2J", id: 1 }],
    [{ login: "", id: 1 }],
    [{ login: "ana", id: "1" }],
    [{ login: "ana", id: 0 }],
    [{ login: "ana", id: 1.5 }],
    [{ login: "ana" }],
    [["ana"]],
    [null],
  ])("%j is nobody", async (body) => {
    const github = await client((path) => ({ body: path.endsWith("/access_token") ? token : body }));
    await expect(ask(github)).rejects.toMatchObject({ code: "internal", message: expect.stringContaining("the user request") as string });
  });

  it.each([[{}], [{ access_token: "" }], [{ access_token: "a\r\nb: c", token_type: "bearer" }], [{ access_token: "t", token_type: "mac" }]])("%j is no token, and is not repeated", async (body) => {
    const github = await client(() => ({ body }));
    await expect(ask(github)).rejects.toMatchObject({ code: "internal", message: expect.not.stringContaining("b: c") as string });
  });

  it("no error says the token, the secret or the code", async () => {
    const github = await client((path) => ({ body: path.endsWith("/access_token") ? token : "<html>" }));
    const error = await ask(github).catch((thrown: unknown) => thrown as GatehouseError);
    expect(JSON.stringify(error, Object.getOwnPropertyNames(error))).not.toMatch(/gho_token|hush-hush|v{43}/);
  });
});

describe("a Link header", () => {
  it.each([
    ['<https://a/?page=2>; rel="next"', "https://a/?page=2"],
    ['<https://a/1>; rel="prev", <https://a/3>; rel="next", <https://a/9>; rel="last"', "https://a/3"],
    ["<https://a/3>; rel=next", "https://a/3"],
    ['<https://a/3>; title="x"; rel="last next"', "https://a/3"],
    ['<https://a/3>; rel="nextish"', undefined],
    ["", undefined],
    [undefined, undefined],
    ["<<<<>>>", undefined],
  ])("%j", (header, next) => {
    expect(nextLink(header)).toBe(next);
  });

  it("of any text is read at once and never throws", () => {
    fc.assert(fc.property(fc.string({ maxLength: 2000, unit: fc.constantFrom("<", ">", ";", "rel", "=", '"', "next", " ", ",", "x") }), (text) => void nextLink(text)));
  });
});

describe("teams to roles, logins and groups", () => {
  const name = fc.constantFrom("a", "b", "A", "c/d", "");
  const mapping = fc.record({ organization: name, team: fc.option(name, { nil: undefined }) });
  const places = fc.array(fc.record({ organization: name, organizationId: fc.nat() }), { maxLength: 3 });
  const member: fc.Arbitrary<GithubTeam> = fc.record({ organization: name, team: name, organizationId: fc.nat(), teamId: fc.nat() });
  const logins = fc.array(mapping.chain((entry) => fc.record({ organization: fc.constant(entry.organization), team: fc.constant(entry.team), logins: fc.array(name), kubernetes_groups: fc.array(name) })), { maxLength: 4 });
  const roles = fc.array(mapping.chain((entry) => fc.record({ organization: fc.constant(entry.organization), team: fc.constant(entry.team), roles: fc.array(name, { minLength: 1 }) })), { maxLength: 4 });
  const granted = (spec: Partial<GithubConnector["spec"]>, teams: readonly GithubTeam[], organizations?: readonly GithubOrganization[]): readonly string[] => {
    const { roles: given, traits, problem } = mapTeams(connector(spec), { login: "ana", id: 1, teams, organizations });
    const all = [...given.map((role) => `role ${role}`), ...(traits["logins"] ?? []).map((login) => `login ${login}`), ...(traits["kubernetes_groups"] ?? []).map((group) => `group ${group}`)];
    expect(all.length === 0 || problem === undefined).toBe(true);
    return all;
  };

  it("come from the person's own teams alone, whatever their order", () => {
    fc.assert(
      fc.property(logins, roles, fc.array(member, { maxLength: 4 }), (teams_to_logins, teams_to_roles, teams) => {
        const all = granted({ teams_to_logins, teams_to_roles }, teams);
        const each = new Set(teams.flatMap((one) => granted({ teams_to_logins, teams_to_roles }, [one])));
        expect(new Set(all)).toEqual(each);
        expect(granted({ teams_to_logins, teams_to_roles }, [...teams].reverse())).toEqual(all);
      }),
    );
  });

  it("a mapping without a team is for members of that organization alone, whatever team they are in or not in", () => {
    fc.assert(
      fc.property(logins, roles, fc.array(member, { maxLength: 3 }), places, (teams_to_logins, teams_to_roles, teams, organizations) => {
        const spec = { teams_to_logins, teams_to_roles };
        const all = new Set(granted(spec, teams, organizations));
        const whole = { teams_to_logins: teams_to_logins.filter(({ team }) => team === undefined), teams_to_roles: teams_to_roles.filter(({ team }) => team === undefined) };
        expect(granted(whole, teams)).toEqual([]);
        expect(all).toEqual(new Set([...granted(spec, teams), ...granted(whole, [], organizations)]));
        const mine = new Set(organizations.map(({ organization }) => organization));
        const kept = { teams_to_logins: whole.teams_to_logins.filter(({ organization }) => mine.has(organization)), teams_to_roles: whole.teams_to_roles.filter(({ organization }) => mine.has(organization)) };
        expect(granted(kept, [], organizations)).toEqual(granted(whole, [], organizations));
      }),
    );
  });

  it("says in rules and refusals what is about a whole organization", () => {
    const spec = connector({ teams_to_roles: [{ organization: "octocats", roles: ["r"] }, { organization: "octocats", team: "x", roles: ["s"] }] });
    const stranger = mapTeams(spec, { login: "ana", id: 1, teams: [{ organization: "acme", organizationId: 2, team: "dev", teamId: 3 }], organizations: [{ organization: "acme", organizationId: 2 }] });
    expect(stranger.rules.map(({ rule, matched }) => [rule, matched])).toEqual([["octocats/*", false], ["octocats/x", false]]);
    expect(stranger.problem?.message).toBe('ana is in none of the teams and organizations that connector "github" maps (octocats/*, octocats/x)');
    expect(stranger.problem?.hint).toBe("GitHub reported: acme/dev; membership of acme; ask an administrator to map one of them");
    expect(mapTeams(spec, { login: "ana", id: 1, teams: [], organizations: [] }).problem?.hint).toMatch(/^GitHub reported no team and no organization: /);
    expect(mapTeams(spec, { login: "ana", id: 1, teams: [], organizations: [{ organization: "octocats", organizationId: 1 }] })).toMatchObject({ roles: ["r"], rules: [{ matched: true }, { matched: false }], problem: undefined });
  });

  it("a team more never takes anything away", () => {
    fc.assert(
      fc.property(logins, roles, fc.array(member, { maxLength: 4 }), member, (teams_to_logins, teams_to_roles, teams, another) => {
        const more = granted({ teams_to_logins, teams_to_roles }, [...teams, another]);
        for (const grant of granted({ teams_to_logins, teams_to_roles }, teams)) expect(more).toContain(grant);
      }),
    );
  });

  it("names at most ten teams in a refusal, escaped", () => {
    const teams = Array.from({ length: 250 }, (_, index) => ({ organization: "o", organizationId: 1, team: `t${String(index)}\u001b[31m`, teamId: index }));
    const { problem } = mapTeams(connector({ teams_to_roles: [{ organization: "o", team: "x", roles: ["r"] }] }), { login: "ana", id: 1, teams });
    expect(problem).toMatchObject({ code: "access_denied", hint: expect.stringMatching(/ and 240 more; ask an administrator/) as string });
    expect(problem?.hint).not.toMatch(/\u001b/);
  });
});
