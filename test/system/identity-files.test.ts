import { mkdir, readFile, stat, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { realCluster } from "../support/cluster.ts";
import { run, type Outcome } from "../support/process.ts";
import { cleanEnv, createWorld, tctlPath, tshPath, type World } from "../support/world.ts";

const cluster = realCluster();

/** Logins in files, made by `tctl auth sign`, used on a machine where nobody has logged in. */
describe("identity files", () => {
  let world: World;
  let home: string;
  let env: NodeJS.ProcessEnv;

  beforeAll(async () => {
    world = await createWorld({ kubeconfig: cluster?.gatewayKubeconfig });
    home = join(world.folder, "job");
    await mkdir(home);
    env = cleanEnv({ HOME: home, XDG_STATE_HOME: home, KUBECONFIG: join(home, "kubeconfig") });
    const user = "kind: user\nversion: v2\nmetadata: {name: ci}\nspec: {roles: [access, admin], traits: {logins: [deploy], kubernetes_groups: [developers]}}\n";
    expect((await world.tctl(["create", "-"], { input: user })).code).toBe(0);
  });
  afterAll(() => world.close());

  const file = (name: string): string => join(home, name);
  const sign = (name: string, ...more: string[]): Promise<Outcome> => world.tctl(["auth", "sign", "--user=ci", `--out=${file(name)}`, ...more]);
  const tsh = (...args: string[]): Promise<Outcome> => run(process.execPath, [tshPath, ...args], { env, cwd: home });
  const mode = async (name: string): Promise<string> => ((await stat(file(name))).mode & 0o777).toString(8);

  it("are written for their owner alone, say that they are secrets, and are not written over", async () => {
    const made = await sign("ci.pem", "--ttl=1h");
    expect(made).toMatchObject({ code: 0, stdout: "" });
    expect(made.stderr).toMatch(/ci\.pem: ci, until .*\n {2}whoever has the private key in it is that user until then: keep it to yourself\n {2}to end it before: tctl lock --session=[0-9a-f-]{36}\n$/);
    expect(await mode("ci.pem")).toBe("600");
    expect(await sign("ci.pem")).toMatchObject({ code: 6, stderr: expect.stringContaining("ci.pem is there already\n  --force writes over it") as string });
    const before = await readFile(file("ci.pem"), "utf8");
    expect((await sign("ci.pem", "--force")).code).toBe(0);
    expect(await readFile(file("ci.pem"), "utf8")).not.toBe(before);
    expect((await world.events()).findLast((event) => event["event"] === "auth.sign")).toMatchObject({ user: "local-admin", name: "ci" });
    expect(await world.tctl(["auth", "sign", "--user=nobody", `--out=${file("x")}`])).toMatchObject({ code: 5 });
    const signed = async (): Promise<number> => (await world.events()).filter((event) => event["event"] === "auth.sign").length;
    const count = await signed();
    expect(await sign("no/where.pem")).toMatchObject({ code: 5, stderr: expect.stringContaining(`there is no folder ${file("no")}\n  make it: mkdir -p`) as string });
    await symlink(file("elsewhere"), file("link.pem"));
    expect(await sign("link.pem", "--force")).toMatchObject({ code: 1, stderr: expect.stringContaining("is not a regular file") as string });
    expect(await signed()).toBe(count);
  });

  it("are a login for tsh and tctl, by -i before or behind the command, or TSH_IDENTITY_FILE", async () => {
    for (const words of [["-i", "ci.pem", "status", "--format=json"], ["status", "-i", "ci.pem", "--format=json"]]) {
      const status = await tsh(...words);
      expect([status.code, status.stderr]).toEqual([0, ""]);
      expect(JSON.parse(status.stdout)).toMatchObject({ logged_in: true, user: "ci", proxy: world.proxy, roles: ["access", "admin"], identity_file: file("ci.pem") });
    }
    expect(await tsh("-i", "ci.pem", "clusters")).toMatchObject({ code: 0, stdout: expect.stringContaining("example") as string });
    expect(await tsh("-i", "ci.pem", "recordings", "ls", "--format=json")).toMatchObject({ code: 0, stderr: "" });
    const named = { ...env, TSH_IDENTITY_FILE: "ci.pem" };
    const clusters = await run(process.execPath, [tshPath, "kube", "ls", "--format=json"], { env: named, cwd: home });
    expect(clusters.code).toBe(0);
    const sessions = await run(process.execPath, [tctlPath, "sessions", "ls", "--format=json"], { env: named, cwd: home });
    expect(sessions).toMatchObject({ code: 0, stdout: "[]\n" });
    expect(await tsh("status")).toMatchObject({ code: 3 });
  });

  it("are not for tsh login", async () => {
    expect(await tsh("-i", "ci.pem", "login", `--proxy=${world.proxy}`)).toMatchObject({ code: 2, stderr: expect.stringContaining("an identity file is a login already") as string });
  });

  it("change no second factors: whoever has the file need not be the person", async () => {
    for (const words of [["add"], ["rm", "phone"], ["codes"]]) {
      const refused = await tsh("-i", "ci.pem", "mfa", ...words);
      expect(refused).toMatchObject({ code: 4, stdout: "", stderr: expect.stringContaining("not with an identity file that was signed for ci") as string });
    }
    expect(await tsh("-i", "ci.pem", "mfa", "ls")).toMatchObject({ code: 0 });
  });

  it("as key and certificate are what OpenSSH reads, as three files what TLS clients do", async () => {
    expect((await sign("id_ci", "--format=openssh")).code).toBe(0);
    const shown = await run("ssh-keygen", ["-L", "-f", file("id_ci-cert.pub")]);
    expect(shown.stdout).toContain('Key ID: "ci"');
    const key = await run("ssh-keygen", ["-y", "-f", file("id_ci")]);
    expect([key.code, key.stdout.split(" ")[0]]).toEqual([0, "ecdsa-sha2-nistp256"]);
    expect((await sign("ci", "--format=tls")).code).toBe(0);
    for (const name of ["id_ci", "id_ci-cert.pub", "ci.key", "ci.crt", "ci.cas"]) expect([name, await mode(name)]).toEqual([name, "600"]);
    const answer = await run("curl", ["--silent", "--cert", file("ci.crt"), "--key", file("ci.key"), "--cacert", file("ci.cas"), `https://${world.ready.addresses.admin}/gatehouse/v1/whoami`]);
    expect(JSON.parse(answer.stdout)).toMatchObject({ username: "ci", logins: ["deploy"] });
  });

  it.skipIf(!cluster)("lead kubectl to the cluster: as a kubeconfig of their own, and by the plugin with the file's absolute path", async () => {
    expect((await sign("ci.kubeconfig", "--format=kubernetes")).code).toBe(0);
    const alone = await run("kubectl", ["--kubeconfig", file("ci.kubeconfig"), "get", "pods"], { env });
    expect([alone.stderr, alone.code]).toEqual(["", 0]);
    expect((await tsh("-i", "ci.pem", "kube", "login", "--all")).code).toBe(0);
    expect(await readFile(file("kubeconfig"), "utf8")).toContain(`--identity=${file("ci.pem")}`);
    const pods = await run("kubectl", ["get", "pods"], { env, cwd: "/" });
    expect([pods.stderr, pods.code]).toEqual(["", 0]);
    expect(pods.stdout).toMatch(/^shell\s+1\/1\s+Running/m);
  });

  it("are worth nothing once their login has ended, and nobody is asked to log in", async () => {
    const kept = await readFile(file("ci.pem"), "utf8");
    expect(await tsh("-i", "ci.pem", "logout")).toMatchObject({ code: 0, stderr: expect.stringContaining("has ended") as string });
    expect(await tsh("-i", "ci.pem", "clusters")).toMatchObject({ code: 3, stderr: expect.stringContaining("your login session has ended\n  ask for a new identity file") as string });
    await writeFile(file("broken.pem"), kept.replace(/-----BEGIN CERTIFICATE-----[\s\S]*$/, ""), { mode: 0o600 });
    expect(await tsh("kube", "credentials", "--identity=broken.pem", `--proxy=${world.proxy}`)).toMatchObject({ code: 1, stdout: "", stderr: expect.stringContaining("it has no TLS certificate") as string });
  });
});
