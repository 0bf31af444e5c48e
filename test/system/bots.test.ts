import { access, mkdir, readFile, readdir, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startIssuer, type Issuer } from "../stand-ins/issuer.ts";
import { realCluster } from "../support/cluster.ts";
import { run, start, type Outcome } from "../support/process.ts";
import { cleanEnv, createWorld, tshPath, type World } from "../support/world.ts";

const cluster = realCluster();
const claims = { sub: "repo:acme/app:ref:refs/heads/main", repository: "acme/app", repository_owner: "acme", ref: "refs/heads/main", ref_type: "branch", actor: "ana" };

/** Machines that join, each in a home of its own where nobody has logged in. */
describe("bots", () => {
  let world: World;
  let issuer: Issuer;
  let home: string;
  let env: NodeJS.ProcessEnv;

  beforeAll(async () => {
    [world, issuer] = await Promise.all([createWorld({ kubeconfig: cluster?.gatewayKubeconfig }), startIssuer()]);
    home = join(world.folder, "job");
    await mkdir(home);
    env = cleanEnv({ HOME: home, KUBECONFIG: join(home, "kubeconfig"), TELEPORT_PROXY: world.proxy });
    await ok("bots", "add", "ci", "--roles=access", "--logins=deploy", "--k8s-groups=developers");
    await ok("tokens", "add", "--bot=ci", "--join-method=github-actions", "--name=deploy", `--issuer=${issuer.url}`, "--allow=repository=acme/app,branch=main", "--allow=repository=acme/tools");
    await ok("tokens", "add", "--bot=ci", "--join-method=oidc", "--name=any", `--issuer=${issuer.url}`, "--audience=here", "--allow=sub=job-7");
  });
  afterAll(async () => {
    await issuer.close();
    await world.close();
  });

  const ok = async (...args: string[]): Promise<Outcome> => {
    const outcome = await world.tctl(args);
    expect(`${args.join(" ")} → ${String(outcome.code)} ${outcome.code === 0 ? "" : outcome.stderr}`).toBe(`${args.join(" ")} → 0 `);
    return outcome;
  };
  const tsh = (args: readonly string[], more: NodeJS.ProcessEnv = {}): Promise<Outcome> => run(process.execPath, [tshPath, ...args], { env: { ...env, ...more }, cwd: home });
  const login = (args: readonly string[], more: NodeJS.ProcessEnv = {}): Promise<Outcome> => tsh(["login", `--ca-pin=${world.ready.ca_pin}`, ...args], more);
  const github = ["--join-method=github-actions", "--token=deploy"];

  it("in a job of GitHub Actions get an hour in a file, and keep nothing else", async () => {
    const joined = await login([...github, "--out=tsh.pem"], issuer.job(claims));
    expect([joined.code, joined.stdout]).toEqual([0, ""]);
    expect(joined.stderr).toMatch(/bot:ci, until .* in .*tsh\.pem/);
    expect((await stat(join(home, "tsh.pem"))).mode & 0o777).toBe(0o600);
    await expect(access(join(home, ".tsh"))).rejects.toThrow();
    await expect(access(join(home, "kubeconfig"))).rejects.toThrow();
    const named = { TSH_IDENTITY_FILE: join(home, "tsh.pem") };
    const status = JSON.parse((await tsh(["status", "--format=json"], named)).stdout) as { user: string; valid_until: string };
    expect(status.user).toBe("bot:ci");
    expect(Date.parse(status.valid_until) - Date.now()).toBeLessThanOrEqual(3_600_000);
    expect((await world.events()).findLast((event) => event["event"] === "bot.join")).toMatchObject({ user: "bot:ci", token: "deploy", matched: { repository: ["acme/app"], branch: ["main"] }, claims: { actor: "ana" } });
    // The file that every command reads is the one that is written, where none is named.
    const again = await login([...github, "--format=json"], { ...named, ...issuer.job(claims) });
    expect(JSON.parse(again.stdout)).toMatchObject({ user: "bot:ci", identity_file: named.TSH_IDENTITY_FILE, logins: ["deploy"] });
  });

  it.skipIf(!cluster)("reach the cluster as who they are", async () => {
    const named = { TSH_IDENTITY_FILE: join(home, "tsh.pem") };
    expect((await tsh(["kube", "login", "--all"], named)).code).toBe(0);
    const pods = await run("kubectl", ["get", "pods"], { env });
    expect([pods.stderr, pods.code]).toEqual(["", 0]);
    expect(cluster!.auditLog()?.findLast((event) => event.impersonatedUser?.username === "bot:ci")?.impersonatedUser?.groups ?? ["developers"]).toContain("developers");
  });

  it("are refused with the rule that failed, at once, where nobody can be asked", async () => {
    const other = await login([...github, "--out=no.pem"], issuer.job({ ...claims, repository: "evil/app" }));
    expect(other).toMatchObject({ code: 4, stdout: "", stderr: expect.stringMatching(/repository is "evil\/app" \(rule 1\); repository is "evil\/app" \(rule 2\)/) as string });
    expect(await login([...github, "--audience=elsewhere", "--out=no.pem"], issuer.job(claims))).toMatchObject({ code: 4, stderr: expect.stringContaining("is for elsewhere, not for this cluster") as string });
    expect(await login([...github, "--out=no.pem"])).toMatchObject({ code: 2, stderr: expect.stringContaining("id-token: write") as string });
    expect(await login(github)).toMatchObject({ code: 2, stderr: expect.stringContaining("--out=FILE") as string });
    expect(await login(["--token=deploy"])).toMatchObject({ code: 2, stderr: expect.stringContaining("--token goes together with --join-method") as string });
    const unpinned = await tsh(["login", ...github, "--out=no.pem"], issuer.job(claims));
    expect(unpinned).toMatchObject({ code: 7, stderr: expect.stringContaining("nothing was sent to it") as string });
    await expect(access(join(home, "no.pem"))).rejects.toThrow();
  });

  it("with a JWT in a variable or a file, each of them once", async () => {
    const jwt = await issuer.sign({ sub: "job-7", aud: "here" });
    const any = ["--join-method=oidc", "--token=any", "--out=any.pem"];
    expect((await login(any, { TSH_JWT: jwt })).code).toBe(0);
    expect(await login(any, { TSH_JWT: jwt })).toMatchObject({ code: 4, stderr: expect.stringContaining("this JWT was used already") as string });
    await writeFile(join(home, "jwt"), `${await issuer.sign({ sub: "job-7", aud: "here" })}\n`);
    expect((await login([...any, "--jwt-file=jwt"])).code).toBe(0);
    expect(await login(any, { TSH_JWT: "none" })).toMatchObject({ code: 1, stderr: expect.stringContaining("what is in the variable TSH_JWT is no JWT") as string });
    expect(await login([...any, "--jwt-env=NOWHERE"])).toMatchObject({ code: 2, stderr: expect.stringContaining("NOWHERE") as string });
  });

  it("with a one-use token: printed once, kept as a digest, never on a command line, and used once", async () => {
    const secret = (await ok("tokens", "add", "--bot=ci")).stdout.trim();
    expect(secret).toMatch(/^[0-9a-f]{32}$/);
    for (const args of [["tokens", "ls"], ["tokens", "ls", "--format=json"], ["get", "tokens", "--with-secrets"]]) expect((await ok(...args)).stdout).not.toContain(secret);
    const once = ["--join-method=token", "--out=once.pem"];
    expect(await login([...once, `--token=${secret}`])).toMatchObject({ code: 2, stderr: expect.stringContaining("a one-use token is a secret") as string });
    await writeFile(join(home, "secret"), `${secret}\n`);
    // Where the file cannot be written, the token is still good.
    expect(await login(["--join-method=token", "--out=no/where.pem", `--token=${join(home, "secret")}`])).toMatchObject({ code: 5, stderr: expect.stringContaining("there is no folder") as string });
    expect((await login([...once, `--token=${join(home, "secret")}`])).code).toBe(0);
    expect(await login(once, { TSH_JOIN_TOKEN: secret })).toMatchObject({ code: 4, stderr: expect.stringMatching(/this token was used already, at \d{4}-/) as string });
    expect(JSON.stringify(await world.events()) + world.gateway.stderr()).not.toContain(secret);
    const unused = (await ok("tokens", "add", "--bot=ci", "--format=json")).stdout;
    const [{ id } = { id: "" }] = (JSON.parse((await ok("tokens", "ls", "--format=json")).stdout) as { name: string; id: string }[]).filter(({ name }) => name === "********");
    await ok("tokens", "rm", id);
    expect(await login(once, { TSH_JOIN_TOKEN: (JSON.parse(unused) as { token: string }).token })).toMatchObject({ code: 4, stderr: expect.stringContaining("there is no such token") as string });
  });

  it("have their files kept fresh while a job runs, or written once", async () => {
    const common = ["bot", "start", `--ca-pin=${world.ready.ca_pin}`, ...github];
    const once = await tsh([...common, "--oneshot", "--out-dir=once"], issuer.job(claims));
    expect([once.code, once.stdout]).toEqual([0, ""]);
    expect((await readdir(join(home, "once"))).sort()).toEqual(["id", "id-cert.pub", "identity.pem", ...(cluster ? ["kubeconfig"] : []), "tls.cas", "tls.crt", "tls.key"]);
    expect((await stat(join(home, "once"))).mode & 0o777).toBe(0o700);
    expect(await tsh(["bot", "start", `--ca-pin=${world.ready.ca_pin}`, "--join-method=oidc", "--token=any", "--out-dir=any"], { TSH_JWT: "a.b.c" })).toMatchObject({ code: 2, stderr: expect.stringContaining("add --oneshot") as string });

    // A minute's login is renewed after forty seconds.
    const kept = start(process.execPath, [tshPath, ...common, "--ttl=1m", "--out-dir=kept"], { env: { ...env, ...issuer.job(claims) }, cwd: home });
    await kept.waitFor(/bot:ci, until/, "stderr");
    const before = await readFile(join(home, "kept/identity.pem"), "utf8");
    await kept.waitFor(/bot:ci, until[^]*bot:ci, until/, "stderr", 120_000);
    const after = await readFile(join(home, "kept/identity.pem"), "utf8");
    expect(after).not.toBe(before);
    const key = /-----BEGIN PRIVATE KEY-----[^]*?-----END PRIVATE KEY-----/;
    expect(key.exec(after)?.[0]).toBe(key.exec(before)?.[0]);
    expect(await tsh(["-i", "kept/identity.pem", "clusters"])).toMatchObject({ code: 0 });
    expect(await kept.stop("SIGTERM")).toMatchObject({ code: 143 });
    expect((await readdir(join(home, "kept"))).filter((name) => name.endsWith(".tmp"))).toEqual([]);
  });

  it("are listed and removed, and with them what they have", async () => {
    expect((await ok("bots", "ls")).stdout).toMatch(/ci +access +deploy +developers +1 h/);
    expect((await ok("tokens", "ls")).stdout).toMatch(/deploy +[0-9a-f]{12} +bot ci +github-actions +repository=acme\/app,branch=main; repository=acme\/tools/);
    expect((await world.tctl(["bots", "rm", "cj"])).stderr).toContain('did you mean "ci"?');
    await ok("bots", "rm", "ci");
    expect(await tsh(["-i", "tsh.pem", "clusters"])).toMatchObject({ code: 3 });
    expect(await login([...github, "--out=no.pem"], issuer.job(claims))).toMatchObject({ code: 4, stderr: expect.stringContaining('the bot "ci", whom this token is for, does not exist') as string });
  });
});
