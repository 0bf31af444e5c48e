import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { formatResources, parseResource, parseResources } from "@gatehouse/core/resources";
import { teamMappings } from "./github.ts";
import { parseTeamMapping, parseValueMapping, splitWords } from "./mappings.ts";
import { fillIn } from "./needs.ts";

describe("mappings from flags", () => {
  it("a team, or every member of an organization, and names", () => {
    expect(parseTeamMapping("--t", "octocats/admins=admin, auditor,admin")).toEqual({ team: { organization: "octocats", team: "admins" }, names: ["admin", "auditor"] });
    expect(parseTeamMapping("--t", "octocats/*=access")).toEqual({ team: { organization: "octocats" }, names: ["access"] });
  });

  it.each(["octocats=admin", "octocats/=admin", "/admins=admin", "octocats/admins", "octocats/admins=", "octocats/admins=,", "a/b/c=x", "\u001b[2J"])("%j is no mapping of a team", (text) => {
    expect(() => parseTeamMapping("--teams-to-roles", text)).toThrow(expect.objectContaining({ code: "usage", message: expect.stringMatching(/^--teams-to-roles: "[^\u001b]*" /) as string }) as Error);
  });

  it("logins and groups of one team are one entry", () => {
    expect(teamMappings({ "teams-to-logins": ["o/a=root", "o/*=guest"], "teams-to-groups": ["o/a=developers"], "teams-to-roles": ["o/a=admin"] })).toEqual({
      teams_to_logins: [
        { organization: "o", team: "a", logins: ["root"], kubernetes_groups: ["developers"] },
        { organization: "o", logins: ["guest"], kubernetes_groups: [] },
      ],
      teams_to_roles: [{ organization: "o", team: "a", roles: ["admin"] }],
    });
    expect(teamMappings({})).toBeUndefined();
  });

  it("a claim, a value that may have commas, and roles", () => {
    expect(parseValueMapping("--c", "groups,admins,admin,auditor")).toEqual({ key: "groups", value: "admins", roles: ["admin", "auditor"] });
    expect(parseValueMapping("--c", 'realm.roles,"^(a|b){1,2}$",team-$1')).toEqual({ key: "realm.roles", value: "^(a|b){1,2}$", roles: ["team-$1"] });
    for (const text of ["", "groups", "groups,admins", "groups,,admin", ",a,b", "groups,admins,", 'groups,"a,b', 'a"b,c,d']) expect(() => parseValueMapping("--c", text)).toThrow(/--c: /);
  });

  it("words are read as they were written, whatever is in them", () => {
    fc.assert(
      fc.property(fc.array(fc.string({ maxLength: 20 }), { minLength: 1, maxLength: 5 }), (words) => {
        expect(splitWords("--c", words.map((word) => `"${word.replaceAll('"', '""')}"`).join(","))).toEqual(words);
      }),
    );
  });

  it("are read back from the YAML that is written of them", () => {
    const name = fc.stringMatching(/^[a-z0-9][a-z0-9-]{0,12}$/).filter((text) => text !== "");
    const roles = fc.uniqueArray(name, { minLength: 1, maxLength: 3 });
    fc.assert(
      fc.property(fc.array(fc.tuple(name, fc.oneof(name, fc.constant("*")), roles), { minLength: 1, maxLength: 5 }), fc.string({ minLength: 1, maxLength: 20, unit: "grapheme-ascii" }), (teams, secret) => {
        const mapped = teamMappings({ "teams-to-roles": teams.map(([organization, team, given]) => `${organization}/${team}=${given.join(",")}`) });
        const resource = parseResource({ kind: "github", version: "v3", metadata: { name: "github" }, spec: { client_id: "id", client_secret: secret, redirect_url: "https://gw.example.com/v1/webapi/github/callback", ...mapped } });
        const read = parseResources(formatResources([resource], "yaml", { withSecrets: true }), "x")[0]!.resource;
        expect(read).toEqual(resource);
        expect(read).toMatchObject({ spec: { client_secret: secret, teams_to_roles: teams.map(([organization, team, given]) => ({ organization, ...(team === "*" ? {} : { team }), roles: given })) } });
      }),
    );
  });
});

describe("what flags do not say", () => {
  const need = (flag: string, given?: string, reason?: string) => ({ flag, given, reason, ask: (prompter: { ask(question: string): Promise<string> }) => prompter.ask(`${flag}?`) });

  it("is asked for, in order", async () => {
    const asked: string[] = [];
    const prompter = { confirm: () => Promise.resolve(false), password: () => Promise.resolve(""), ask: (question: string) => Promise.resolve(`answer ${String(asked.push(question))}`) };
    expect(await fillIn({ a: need("--a"), b: need("--b", "given"), c: need("--c") }, prompter)).toEqual({ a: "answer 1", b: "given", c: "answer 2" });
    expect(asked).toEqual(["--a?", "--c?"]);
  });

  it("is an error that names all of it where there is nobody to ask", async () => {
    await expect(fillIn({ a: need("--a"), b: need("--b", "given"), c: need("--c", undefined, "no gateway here") }, undefined)).rejects.toMatchObject({ code: "usage", message: "--a, --c are missing", hint: expect.stringContaining("--c has no default here: no gateway here") as string });
    expect(await fillIn({ b: need("--b", "given") }, undefined)).toEqual({ b: "given" });
  });
});
