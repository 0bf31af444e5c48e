import { readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { spawn } from "@lydell/node-pty";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parseResources } from "@gatehouse/core/resources";
import { run, type Outcome } from "../support/process.ts";
import { cleanEnv, createWorld, tctlPath, type Person, type World } from "../support/world.ts";

describe("tctl sso configure", () => {
  let world: World;
  let ana: Person;
  let secretFile: string;
  beforeAll(async () => {
    world = await createWorld();
    ana = await world.person("ana");
    secretFile = join(world.folder, "secret.txt");
    await writeFile(secretFile, `${world.github.clientSecret}\n`);
  });
  afterAll(() => world.close());

  const configure = (...args: readonly string[]): Promise<Outcome> => world.tctl(["sso", "configure", ...args]);
  const read = (text: string) => parseResources(text, "printed").map(({ resource }) => resource);
  const github = (): readonly string[] => [`--id=${world.github.clientId}`, `--secret-file=${secretFile}`, `--endpoint-url=${world.github.url}`];

  it("github: prints a connector that a test takes as it is, with the cluster's own address", async () => {
    const outcome = await configure("github", ...github(), "--teams-to-roles=octocats/admins=admin", "--teams-to-logins=octocats/*=ana,deploy", "--teams-to-groups=octocats/*=developers");
    expect([outcome.code, outcome.stderr]).toEqual([0, expect.stringContaining("the client secret is in what is printed")]);
    expect(read(outcome.stdout)).toMatchObject([
      {
        kind: "github",
        metadata: { name: "github" },
        spec: {
          client_id: world.github.clientId,
          client_secret: world.github.clientSecret,
          redirect_url: `https://${world.proxy}/v1/webapi/github/callback`,
          api_endpoint_url: world.github.apiUrl,
          teams_to_logins: [{ organization: "octocats", logins: ["ana", "deploy"], kubernetes_groups: ["developers"] }],
          teams_to_roles: [{ organization: "octocats", team: "admins", roles: ["admin"] }],
        },
      },
    ]);
    expect(outcome.stderr).not.toContain(world.github.clientSecret);
    const tried = await world.tctl(["sso", "test", "-f", "-", "--format=json"], { env: ana.env, input: outcome.stdout });
    expect([tried.code, JSON.parse(tried.stdout)]).toMatchObject([0, { rules: [{ rule: "octocats/*", matched: true }, { rule: "octocats/admins", matched: false }] }]);
  });

  it("github: a pipe leads from one to the other", async () => {
    const tctl = `"${process.execPath}" "${tctlPath}" --data-dir "${world.dataDir}"`;
    const line = `${tctl} sso configure github ${github().map((flag) => `'${flag}'`).join(" ")} --teams-to-roles=octocats/developers=access | ${tctl} sso test -f -`;
    const outcome = await run("bash", ["-o", "pipefail", "-c", line], { env: ana.env });
    expect([outcome.code, outcome.stdout]).toEqual([0, expect.stringMatching(/✔ octocats\/developers +role access/)]);
  });

  it("oidc and saml: what is printed is what was said", async () => {
    const oidc = await configure("oidc", "--name=okta", "--display=Okta", "--issuer-url=https://example.okta.com", "--id=0oa1", `--secret-file=${secretFile}`, '--claims-to-roles=groups,"^k8s-(a|b,c)$",team-$1', "--claims-to-roles=groups,admins,admin,auditor", "--scope=groups");
    expect([oidc.code, read(oidc.stdout)]).toMatchObject([
      0,
      [
        {
          kind: "oidc",
          metadata: { name: "okta" },
          spec: {
            display: "Okta",
            redirect_url: [`https://${world.proxy}/v1/webapi/oidc/callback`],
            scope: ["groups"],
            claims_to_roles: [
              { claim: "groups", value: "^k8s-(a|b,c)$", roles: ["team-$1"] },
              { claim: "groups", value: "admins", roles: ["admin", "auditor"] },
            ],
          },
        },
      ],
    ]);
    const xml = "<EntityDescriptor entityID='x'>\n  <!-- two lines -->\n</EntityDescriptor>\n";
    const file = join(world.folder, "metadata.xml");
    await writeFile(file, xml);
    const saml = await configure("saml", `--entity-descriptor=${file}`, "--attributes-to-roles=groups,admins,admin");
    expect([saml.code, read(saml.stdout)]).toMatchObject([0, [{ kind: "saml", spec: { acs: `https://${world.proxy}/v1/webapi/saml/acs`, entity_descriptor: xml, attributes_to_roles: [{ name: "groups", value: "admins", roles: ["admin"] }] } }]]);
    const byAddress = await configure("saml", "--entity-descriptor=https://idp.example.com/metadata", "--acs=https://gw.example.com/v1/webapi/saml/acs", "--attributes-to-roles=groups,admins,admin");
    expect(read(byAddress.stdout)).toMatchObject([{ spec: { acs: "https://gw.example.com/v1/webapi/saml/acs", entity_descriptor_url: "https://idp.example.com/metadata" } }]);
  });

  it("writes a file that only its owner reads, and over none that is there", async () => {
    const out = join(world.folder, "made.yaml");
    const args = ["github", ...github(), "--teams-to-roles=octocats/admins=admin", `--out=${out}`];
    const written = await configure(...args);
    expect([written.code, written.stdout]).toEqual([0, ""]);
    expect((await stat(out)).mode & 0o777).toBe(0o600);
    expect(read(await readFile(out, "utf8"))).toHaveLength(1);
    expect((await configure(...args)).code).toBe(6);
    expect((await configure(...args, "--force")).code).toBe(0);
  });

  it("never asks without a terminal: names every flag that is missing", async () => {
    const outcome = await configure("oidc", "--id=x");
    expect([outcome.code, outcome.stdout, outcome.stderr]).toEqual([2, "", expect.stringContaining("--issuer-url, --secret-file, --claims-to-roles are missing")]);
    const nowhere = await run(process.execPath, [tctlPath, "sso", "configure", "saml", "--entity-descriptor=https://idp.example.com/", "--attributes-to-roles=a,b,c", `--data-dir=${join(world.folder, "nothing")}`], { env: cleanEnv({ HOME: world.folder }) });
    expect([nowhere.code, nowhere.stderr]).toEqual([2, expect.stringMatching(/--acs is missing\n.*--acs has no default here: no gateway runs here/)]);
  });

  it.each([
    [["github", "--teams-to-roles=octocats=admin"], 2, "is no team"],
    [["github", "--redirect-url=http://gw.example.com/", "--teams-to-roles=o/t=r"], 1, "spec.redirect_url: must begin with https://"],
    [["github", "--secret-file=nosuch", "--teams-to-roles=o/t=r"], 5, "nosuch does not exist"],
    [["github", "--name=local", "--teams-to-roles=o/t=r"], 1, '"local" is the name of the built-in login'],
  ] as const)("%j is refused", async ([kind, ...args], code, text) => {
    const outcome = await configure(kind, `--id=x`, ...(args.some((arg) => arg.startsWith("--secret-file")) ? [] : [`--secret-file=${secretFile}`]), ...args);
    expect([outcome.code, outcome.stdout, outcome.stderr]).toEqual([code, "", expect.stringContaining(text)]);
  });

  it("asks for what is missing on a terminal, and shows nothing of the secret", async () => {
    const out = join(world.folder, "asked.yaml");
    const terminal = spawn(process.execPath, [tctlPath, "--data-dir", world.dataDir, "sso", "configure", "github", `--out=${out}`], { env: { ...cleanEnv({ HOME: world.folder }), TERM: "xterm" }, cols: 160, rows: 40 });
    const answers: readonly (readonly [RegExp, string])[] = [
      [/Client id of the OAuth app:/, "Iv1.asked"],
      [/Client secret:/, "typed-in-secret"],
      [/Who gets in: /, "octocats/*"],
      [/Their roles, /, "access, viewer"],
      [/Another team\?/, "n"],
    ];
    let shown = "";
    let at = 0;
    terminal.onData((text) => {
      shown += text;
      const next = answers[at];
      if (!next?.[0].test(shown)) return;
      at += 1;
      shown = "";
      terminal.write(`${next[1]}\r`);
    });
    let all = "";
    terminal.onData((text) => (all += text));
    const { exitCode } = await new Promise<{ exitCode: number }>((resolve) => terminal.onExit(resolve));
    expect({ exitCode, all: exitCode === 0 ? "" : all }).toEqual({ exitCode: 0, all: "" });
    expect(all).not.toContain("typed-in-secret");
    expect(read(await readFile(out, "utf8"))).toMatchObject([{ spec: { client_id: "Iv1.asked", client_secret: "typed-in-secret", teams_to_roles: [{ organization: "octocats", roles: ["access", "viewer"] }] } }]);
  });
});
