import { chmod, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { requireTool } from "@gatehouse/core/testing";
import { run } from "../support/process.ts";
import { cleanEnv, createWorld, tctlPath, type Person, type World } from "../support/world.ts";

const role = (name: string, groups: string): string => `kind: role
version: v3
metadata:
  name: ${name}
spec:
  allow:
    kubernetes_groups: [${groups}]
`;

describe("tctl", () => {
  let world: World;
  let ana: Person;

  beforeAll(async () => {
    world = await createWorld();
    ana = await world.person("ana");
    await ana.logIn();
  });
  afterAll(() => world.close());

  const ok = async (args: readonly string[], input?: string): Promise<string> => {
    const outcome = await world.tctl(args, input === undefined ? {} : { input });
    expect(`${args.join(" ")} → ${String(outcome.code)} ${outcome.code === 0 ? "" : outcome.stderr}`).toBe(`${args.join(" ")} → 0 `);
    return outcome.stdout;
  };

  it.each(["roles/admin", "roles/access", "user/ana", "github/github", "cap/cluster-auth-preference", "roles", "users", "connectors"])("get %s | create -f - changes nothing", async (ref) => {
    const before = await ok(["get", ref]);
    const created = await world.tctl(["create", "-f", "-"], { input: before });
    expect(`${String(created.code)} ${created.stderr}`).toMatch(/^0 /);
    expect(created.stderr).toContain("unchanged");
    expect(created.stderr).not.toContain("updated");
    expect(await ok(["get", ref])).toBe(before);
    const json = await ok(["get", ref, "--format=json"]);
    expect((await world.tctl(["create", "-f", "-"], { input: json })).stderr).toContain("unchanged");
  });

  it("get tokens | create -f - changes nothing: without tokens quietly, with them when their names are shown", async () => {
    const none = await ok(["get", "tokens"]);
    expect(await world.tctl(["create", "-f", "-"], { input: none })).toMatchObject({ code: 0, stdout: "", stderr: "standard input has no resource in it: nothing to do\n" });
    expect(await ok(["create", "-f", "-", "--format=json"], none)).toBe("[]\n");
    await ok(["create", "-"], "kind: token\nversion: v2\nmetadata: {name: abcdef0123456789}\nspec: {roles: [Node]}\n");
    const hidden = await world.tctl(["create", "-f", "-"], { input: await ok(["get", "tokens"]) });
    expect([hidden.code, hidden.stderr]).toEqual([1, expect.stringContaining("--with-secrets")]);
    const shown = await ok(["get", "tokens", "--with-secrets"]);
    expect((await world.tctl(["create", "-f", "-"], { input: shown })).stderr).toContain("unchanged");
    await ok(["rm", "token/abcdef0123456789"]);
  });

  it("a name that is nearly one is told which, and where the names are", async () => {
    for (const args of [["get", "roles/acces"], ["rm", "roles/acces"]]) {
      const { code, stderr } = await world.tctl(args);
      expect([code, stderr]).toEqual([5, '✖ role "acces" does not exist; did you mean "access"?\n  tctl get roles lists them\n']);
    }
    expect((await world.tctl(["users", "rm", "an"])).stderr).toContain('user "an" does not exist; did you mean "ana"?');
  });

  it("a connector without its secret keeps the stored one, and shows it only when asked", async () => {
    expect(await ok(["get", "github/github"])).not.toContain(world.github.clientSecret);
    expect(await ok(["get", "github/github", "--with-secrets"])).toContain(world.github.clientSecret);
  });

  it("create refuses to overwrite, -f overwrites, and a file is checked whole before any of it is written", async () => {
    await ok(["create", "-"], role("one", "developers"));
    expect((await world.tctl(["create", "-"], { input: role("one", "viewers") })).code).toBe(6);
    await ok(["create", "-f", "-"], role("one", "viewers"));
    expect(await ok(["get", "roles/one"])).toContain("- viewers");
    const typo = `${role("two", "a")}---\n${role("three", "b").replace("kubernetes_groups", "kubernetes_group")}`;
    const refused = await world.tctl(["create", "-"], { input: typo });
    expect(refused.code).toBe(1);
    expect(refused.stderr).toMatch(/standard input:\d+:\d+ spec\.allow\.kubernetes_group: unknown field; did you mean "kubernetes_groups"\?/);
    expect((await world.tctl(["get", "roles/two"])).code).toBe(5);
  });

  it("the guide's line with a bracket too many is pointed at", async () => {
    const text = 'kind: role\nversion: v3\nmetadata: {name: guide}\nspec:\n  allow:\n    kubernetes_groups: ["system:masters", "{{external.trait_name}}"]]\n';
    const refused = await world.tctl(["create", "-f", "-"], { input: text });
    expect(refused.code).toBe(1);
    const column = text.split("\n")[5]!.lastIndexOf("]") + 1;
    expect(refused.stderr).toContain(`standard input:6:${column}`);
    expect(refused.stderr).toContain("^");
  });

  it("a role in use stays, and the message names its users", async () => {
    const refused = await world.tctl(["rm", "roles/access"]);
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain("ana");
    await ok(["create", "-f", "-"], role("unused", "x"));
    await ok(["rm", "roles/unused"]);
    expect((await world.tctl(["rm", "roles/unused"])).code).toBe(5);
  });

  it("edit writes what the editor saved, says so where nothing changed, and never overwrites another's change", async () => {
    const folder = await mkdtemp(join(tmpdir(), "gatehouse-editor-"));
    const editor = async (name: string, body: string): Promise<NodeJS.ProcessEnv> => {
      const path = join(folder, name);
      await writeFile(path, `#!/bin/sh\n${body}\n`);
      await chmod(path, 0o755);
      return cleanEnv({ HOME: world.folder, EDITOR: path });
    };
    await ok(["create", "-f", "-"], role("edited", "developers"));
    const changed = await world.tctl(["edit", "roles/edited"], { env: await editor("change", `sed -i s/developers/viewers/ "$1"`) });
    expect(`${String(changed.code)} ${changed.stderr}`).toMatch(/^0 .*role edited updated/s);
    expect(await ok(["get", "roles/edited"])).toContain("- viewers");
    const nowhere = await world.tctl(["edit", "roles/edited"]);
    expect(nowhere).toMatchObject({ code: 2, stdout: "", stderr: '✖ there is no terminal to edit role "edited" on\n  set EDITOR to a program that needs none, or: tctl get roles/edited > f.yaml; tctl create -f f.yaml\n' });
    const same = await world.tctl(["edit", "roles/edited"], { env: await editor("nothing", "exit 0") });
    expect([same.code, same.stderr]).toEqual([0, "nothing changed\n"]);
    const failing = await world.tctl(["edit", "roles/edited"], { env: await editor("fail", "exit 9") });
    expect(failing.code).toBe(1);
    const meanwhile = `sed -i s/viewers/mine/ "$1"; echo '${role("edited", "theirs")}' | "${process.execPath}" "${tctlPath}" --data-dir "${world.dataDir}" create -f - 2>/dev/null`;
    const lost = await world.tctl(["edit", "roles/edited"], { env: await editor("race", meanwhile) });
    expect(lost.code).toBe(6);
    const kept = /your text is kept in (\S+)/.exec(lost.stderr)?.[1] ?? "";
    expect(await readFile(kept, "utf8")).toContain("mine");
    expect(await ok(["get", "roles/edited"])).toContain("theirs");
    const invalid = await world.tctl(["edit", "roles/edited"], { env: await editor("invalid", `sed -i s/kubernetes_groups/kubernetes_group/ "$1"`) });
    expect(invalid.code).toBe(1);
    expect(invalid.stderr).toContain('did you mean "kubernetes_groups"?');
    await rm(folder, { recursive: true, force: true });
  });

  it("users are added, listed, reset and removed", async () => {
    const link = await ok(["users", "add", "carol", "root,deploy", "--k8s-groups=developers", "--roles=access"]);
    expect(link).toMatch(/^https:\/\/\S+\/web\/newuser\/\S+\n$/);
    expect((await world.tctl(["users", "add", "carol"])).code).toBe(6);
    const reset = await world.tctl(["users", "reset", "ana"]);
    expect([reset.code, reset.stderr]).toEqual([1, expect.stringContaining("\n  they log in with: tsh login --auth=github\n")]);
    expect(await ok(["users", "ls"])).toMatch(/^ana .* github github +(?:\d{4}-\d\d-\d\d )?\d\d:\d\d +-$/m);
    expect(await ok(["get", "roles", "--format=text"])).toMatch(/^access .* 30 h$/m);
    expect((await world.tctl(["users", "add", "system:masters"])).code).toBe(1);
    expect((await world.tctl(["users", "add", "dora", "--roles=nosuch"])).code).toBe(5);
    expect((await world.tctl(["users", "add", "dora", "--ttl=49h"])).stderr).toContain("48");
    const rows = JSON.parse(await ok(["users", "ls", "--format=json"])) as { name: string; traits: Record<string, string[]> }[];
    expect(rows.find((row) => row.name === "carol")?.traits).toEqual({ logins: ["root", "deploy"], kubernetes_groups: ["developers"] });
    expect(await ok(["users", "ls"])).toMatch(/^carol +access +root, deploy +developers +local/m);
    const again = await world.tctl(["users", "reset", "carol"]);
    expect(again.stdout).not.toBe(link);
    expect(again.stderr).toMatch(/^✔ the password of carol is gone, and any second factor with it\. Send them this link; it works once, until (?:\S+ )?\d\d:\d\d, 1 h:\n$/);
    await ok(["users", "rm", "carol"]);
    expect((await world.tctl(["users", "rm", "carol"])).code).toBe(5);
  });

  it("a person without rules is refused, one with them is let in, from anywhere", async () => {
    for (const args of [["get", "roles"], ["create", "-f", "-"], ["rm", "user/ana"], ["users", "add", "mallory", "--roles=admin"], ["status"]]) {
      const refused = await ana.tctl(args, { input: role("admin", "system:masters") });
      expect([args.join(" "), refused.code]).toEqual([args.join(" "), 4]);
      expect(refused.stderr).toMatch(/\w/);
    }
    const listed = await ana.tctl(["get", "roles"]);
    expect(listed.stderr).toMatch(/^✖ access denied to perform action "list" on "role": no role allows it\n {2}ask an administrator for a role whose rules allow list on role {3}\(event [0-9a-f]{8}\)\n$/);
    const id = /\(event ([0-9a-f]{8})\)/.exec((await ana.tctl(["status"])).stderr)?.[1];
    expect((await world.events()).find((event) => event["id"] === id)).toMatchObject({ event: "admin.denied", user: "ana" });
    const cy = await world.person("cy");
    await cy.logIn();
    expect((await cy.tctl(["get", "roles/admin"])).stdout).toContain("name: admin");
    expect((await cy.tctl(["status"])).code).toBe(0);
  });

  it("an identity file is a login, if it is one and nobody else can read it", async () => {
    const cy = await world.person("cy");
    await cy.logIn();
    const record = JSON.parse(await readFile(join(cy.home, ".tsh/keys", `${world.proxy.replace(":", "_")}.json`), "utf8")) as Record<"privateKey" | "sshCertificate" | "tlsCertificate", string> & { hostCertificates: string[] };
    const file = join(world.folder, "identity");
    const text = [record.privateKey, record.sshCertificate, record.tlsCertificate, ...record.hostCertificates].map((part) => `${part.trim()}\n`).join("");
    await writeFile(file, text, { mode: 0o600 });
    const env = cleanEnv({ HOME: join(world.folder, "elsewhere"), TELEPORT_DATA_DIR: join(world.folder, "nosuch") });
    const use = (): ReturnType<typeof run> => run(process.execPath, [tctlPath, "-i", file, `--proxy=${world.proxy}`, "get", "roles/admin"], { env });
    expect(await use()).toMatchObject({ code: 0, stderr: "", stdout: expect.stringContaining("name: admin") as string });
    await chmod(file, 0o644);
    expect(await use()).toMatchObject({ code: 1, stderr: expect.stringContaining("can be read by others") as string });
    await writeFile(file, "kind: role\n");
    expect(await use()).toMatchObject({ code: 1, stderr: expect.stringContaining("is not an identity file: it has no private key") as string });
  });

  it("nobody logged in, and no gateway here, is told what to do", async () => {
    const home = join(world.folder, "nobody");
    await mkdir(home, { recursive: true });
    const env = cleanEnv({ HOME: home, XDG_STATE_HOME: home, TELEPORT_DATA_DIR: join(home, "none") });
    const outcome = await run(process.execPath, [tctlPath, "get", "roles"], { env });
    expect([outcome.code, outcome.stdout]).toEqual([7, ""]);
    expect(outcome.stderr).toContain("no gateway runs here");
    const badId = await run(process.execPath, [tctlPath, "-i", join(home, "nosuch"), "--proxy", world.proxy, "get", "roles"], { env: cleanEnv({ HOME: home }) });
    expect(badId.code).toBe(5);
  });

  it("a socket, folder or nonce that others could have made is not used", async () => {
    const link = join(world.folder, "link");
    await symlink(world.dataDir, link);
    const linked = await run(process.execPath, [tctlPath, "--data-dir", link, "status"], { env: cleanEnv({ HOME: world.folder }) });
    expect(linked.code).toBe(4);
    await chmod(join(world.dataDir, "admin.nonce"), 0o644);
    const open = await world.tctl(["status"]);
    await chmod(join(world.dataDir, "admin.nonce"), 0o600);
    expect(open.code).toBe(4);
    expect(open.stderr).toContain("open to others");
    await ok(["status"]);
  });

  describe.skipIf(!requireTool("ssh-keygen", "Debian: apt-get install openssh-client") || !requireTool("openssl", "Debian: apt-get install openssl"))("auth export", () => {
    it.each(["user", "host", "openssh"])("%s is what OpenSSH and OpenSSL read", async (type) => {
      const lines = (await ok(["auth", "export", `--type=${type}`])).trim().split("\n");
      for (const line of lines) {
        const key = /(ssh-\S+|ecdsa-\S+) AAAA\S+/.exec(line)?.[0] ?? "";
        const read = await run("ssh-keygen", ["-l", "-f", "-"], { input: `${key}\n` });
        expect(read.code).toBe(0);
        expect(await ok(["auth", "export", `--type=${type}`, "--fingerprint"])).toContain(read.stdout.split(" ")[1]);
      }
      if (type === "openssh") {
        expect((await world.tctl(["auth", "export", "--type=openssh", "--format=pem"])).code).toBe(5);
        return;
      }
      const pem = await ok(["auth", "export", `--type=${type}`, "--format=pem"]);
      const text = await run("openssl", ["x509", "-noout", "-text"], { input: pem });
      expect(text.stdout).toMatch(/CA:TRUE/);
    });
  });

  it("wrong input is exit code 2 with the reason", async () => {
    for (const args of [["frobnicate"], ["get"], ["get", "roles", "--format=xml"], ["rm", "roles"], ["auth", "export", "--type=nosuch"], ["users", "rm"], ["create", "-f", "--nosuch"]]) {
      const outcome = await world.tctl(args);
      expect([args.join(" "), outcome.code, outcome.stdout]).toEqual([args.join(" "), 2, ""]);
      expect(outcome.stderr).toMatch(/^✖ /);
    }
    expect((await world.tctl(["get", "rolez"])).stderr).toContain('did you mean "role');
  });
});
