import { describe, expect, it } from "vitest";
import type { SsoTestOutcome } from "@gatehouse/core/api";
import { connectorOf } from "./sso-connector.ts";
import { describeOutcome, problemOf } from "./sso-outcome.ts";

const outcome: SsoTestOutcome = {
  name: "ana",
  id: "1001",
  received: { login: "ana", teams: ["octocats/developers", "octocats/web"], groups: [], verified: true, nested: { a: [1] }, empty: "" },
  rules: [
    { rule: "octocats/developers", matched: true, gives: ["role access", "login ana"] },
    { rule: "octocats/*", matched: false, gives: ["role viewer"] },
  ],
  roles: ["access", "nosuch"],
  missing_roles: ["nosuch"],
  traits: { logins: ["ana"], kubernetes_groups: [] },
  logins: ["ana"],
  kubernetes: [{ cluster: "example", groups: ["developers"] }],
};

describe("what came of a connector's test", () => {
  it("says who came with what, what each rule made of it, and what a login gives", () => {
    expect(describeOutcome(outcome)).toBe(`who
  name   ana
  id     1001

received
  login      ana
  teams      octocats/developers, octocats/web
  groups     -
  verified   true
  nested     {"a":[1]}
  empty      ""

rules
  ✔ octocats/developers   role access, login ana
  ✖ octocats/*            role viewer

a login gives
  roles                     access, nosuch (does not exist)
  trait logins              ana
  trait kubernetes_groups   -
  logins on hosts           ana
  groups in example         developers
`);
  });

  it("gives each attribute of SAML its line, and says where there is nothing", () => {
    const saml = { ...outcome, received: { NameID: "ana", attributes: { groups: ["a", "b"], mail: ["ana@example.com"] } }, rules: [], roles: [], traits: {} };
    expect(describeOutcome(saml)).toContain("received\n  NameID   ana\n  groups   a, b\n  mail     ana@example.com\n\nrules\n  -\n\na login gives\n  roles ");
  });

  it("lets nothing of the provider's act on a terminal", () => {
    const evil = "\u001b]52;c;x\u0007\u202e\nx";
    const text = describeOutcome({ ...outcome, name: evil, id: evil, received: { [evil]: evil, list: [evil], deep: { [evil]: [evil] }, attributes: { [evil]: [evil] } }, rules: [{ rule: evil, matched: true, gives: [evil] }], roles: [evil], missing_roles: [evil], traits: { [evil]: [evil] }, logins: [evil], kubernetes: [{ cluster: evil, groups: [evil] }] });
    expect(text).not.toMatch(/[\u001b\u0007\u202e]|\nx/);
  });

  it("is an error with the login's own exit code where it would be refused", () => {
    expect(problemOf(outcome)).toBeUndefined();
    expect(problemOf({ ...outcome, problem: { code: "not_found", message: 'role "nosuch" does not exist', hint: "create it" } })).toMatchObject({ exitCode: 5, message: 'a login would be refused: role "nosuch" does not exist', hint: "create it" });
    expect(problemOf({ ...outcome, problem: { code: "what", message: "no" } })).toMatchObject({ exitCode: 4, hint: undefined });
  });
});

describe("the connector of a file", () => {
  const github = (name: string): string => `kind: github\nversion: v3\nmetadata: {name: ${name}}\nspec: {client_id: a, redirect_url: 'https://gw.example.com/v1/webapi/github/callback', teams_to_roles: [{organization: o, roles: [r]}]}\n`;
  const role = "kind: role\nversion: v3\nmetadata: {name: r}\nspec: {}\n";
  const read = (text: string) => connectorOf({ text, name: "x.yaml" });

  it("is the one that is there, whatever stands beside it", () => {
    expect(read(`${role}---\n${github("gh")}`)).toMatchObject({ connector: { kind: "github", metadata: { name: "gh" } }, others: 1 });
  });

  it.each([
    ["", "x.yaml has no connector in it"],
    [role, "x.yaml has no connector in it"],
    [`${github("a")}---\n${github("b")}`, "x.yaml has 2 connectors in it"],
    ["kind: github", "x.yaml"],
  ])("%j is refused", (text, message) => expect(() => read(text)).toThrow(message));
});
