import { generateKeyPairSync } from "node:crypto";
import { chmod, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { changeHome, clientHome, openLogins, selectProfile, writeProfile, type Profile } from "@gatehouse/core/client";
import { certifySshKey, newSshKey } from "@gatehouse/core/testing";
import { run } from "../support/process.ts";
import { cleanEnv, tshPath } from "../support/world.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "gatehouse-status-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const hour = 3_600_000;
const certificate = `-----BEGIN CERTIFICATE-----\n${"A".repeat(64)}\n-----END CERTIFICATE-----\n`;

/** A login as it is stored. */
interface Given {
  /** Profile name. */
  readonly name: string;
  /** ms from now; no login where absent. */
  readonly ends?: number;
  readonly profile?: Partial<Profile>;
}

let homes = 0;

/** A home with these logins, the first of them the current one. */
async function homeWith(logins: readonly Given[]): Promise<NodeJS.ProcessEnv> {
  const path = join(folder, String(++homes));
  const runtime = join(path, "run");
  await mkdir(runtime, { recursive: true });
  await chmod(runtime, 0o700);
  const env = cleanEnv({ HOME: path, XDG_RUNTIME_DIR: runtime });
  const home = clientHome(env);
  // The better part of a minute that the commands may take does not change what they say.
  const now = Date.now() + 55_000;
  await changeHome(home, async () => {
    for (const { name, ends, profile } of logins) {
      const proxy = `${name.split("+")[0] ?? ""}:3080`;
      const user = name.split("+")[1] ?? "ana";
      await writeProfile(home, name, { web_proxy_addr: proxy, auth_type: "github", cluster: "example", user, keystore: "file", roles: ["access", "dev"], logins: ["root"], ...profile });
      if (ends === undefined) continue;
      const key = generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey;
      await openLogins(home, "file", env).write(name, {
        version: 1,
        proxy,
        cluster: "example",
        username: user,
        privateKey: key.export({ type: "pkcs8", format: "pem" }).toString(),
        sshCertificate: certifySshKey(newSshKey(), key, "user", [user]),
        tlsCertificate: certificate,
        hostKeys: [],
        hostCertificates: [certificate],
        issued: now - 10 * hour,
        expires: now + ends,
      });
    }
    if (logins[0]) await selectProfile(home, logins[0].name);
  });
  return env;
}

const tsh = (args: readonly string[], env: NodeJS.ProcessEnv): ReturnType<typeof run> => run(process.execPath, [tshPath, ...args], { env });

/** What `tsh status` says by itself, which the framework must say of the same home too: `--format` is for it alone. */
async function bothSay(args: readonly string[], env: NodeJS.ProcessEnv): ReturnType<typeof run> {
  const [own, framework] = [await tsh(["status", ...args], env), await tsh(["status", ...args, "--format=text"], env)];
  expect(own).toEqual(framework);
  return own;
}

const clusters = [{ name: "prod", server_name: "prod.kube", groups: ["viewers", "admins"] }];
const several: readonly Given[] = [
  { name: "two.example", ends: 3 * hour, profile: { kube_clusters: clusters } },
  { name: "two.example+bob", ends: hour },
  { name: "one.example", ends: -3 * hour },
  { name: "three.example" },
];

describe("tsh status without the framework says what it says with it", () => {
  it("where nobody is logged in, and where somebody was", async () => {
    expect(await bothSay([], await homeWith([]))).toMatchObject({ code: 3, stdout: "", stderr: expect.stringContaining("not logged in to any gateway") as string });
    expect(await bothSay(["--all"], await homeWith([]))).toMatchObject({ code: 0, stderr: "not logged in to any gateway\n" });
    expect(await bothSay([], await homeWith([{ name: "one.example" }]))).toMatchObject({ code: 3, stderr: expect.stringContaining("tsh login --proxy=one.example") as string });
    expect(await bothSay([], await homeWith([{ name: "one.example", ends: -3 * hour }]))).toMatchObject({ code: 3, stdout: expect.stringMatching(/ended 2 h 59 min ago/) as string });
  });

  it("of several gateways and users, with contexts in kubeconfig", async () => {
    const env = await homeWith(several);
    await mkdir(join(env["HOME"] ?? "", ".kube"));
    const context = { name: "prod", context: { cluster: "prod", user: "prod", extensions: [{ name: "gatehouse", extension: { proxy: "two.example:3080" } }] } };
    await writeFile(join(env["HOME"] ?? "", ".kube/config"), JSON.stringify({ apiVersion: "v1", kind: "Config", clusters: [], users: [], contexts: [context], "current-context": "prod" }));
    const all = await bothSay([], env);
    expect(all.code).toBe(0);
    expect(all.stdout).toMatch(/two\.example {3}\(current\)[^]*admins, viewers {3}→ {2}prod[^]*\(kept; to use it: tsh login --proxy=two\.example --user=bob\)[^]*one\.example[^]*three\.example\n {2}logged in as +nobody/);
    expect(await bothSay(["--all"], env)).toMatchObject({ code: 0 });
    expect(await bothSay(["--proxy", "one.example"], env)).toMatchObject({ code: 3, stdout: expect.stringContaining("ended") as string });
    expect(await bothSay(["--proxy=two.example:3080"], env)).toMatchObject({ code: 0, stdout: expect.not.stringContaining("one.example") as string });
    expect(await bothSay(["--proxy=four.example"], env)).toMatchObject({ code: 3, stdout: "" });
    expect(await bothSay([], { ...env, TELEPORT_PROXY: "three.example" })).toMatchObject({ code: 3, stderr: expect.stringContaining("not logged in to three.example") as string });
  });

  it("of what is damaged, and of words that it does not know", async () => {
    const env = await homeWith([{ name: "one.example", ends: hour }]);
    expect(await tsh(["status", "--proxy"], env)).toMatchObject({ code: 2, stderr: expect.stringContaining("--proxy needs a value") as string });
    expect(await bothSay(["--proxi=one.example"], env)).toMatchObject({ code: 2 });
    expect(await bothSay(["--all", "--proxy=one.example"], env)).toMatchObject({ code: 2 });
    await writeFile(clientHome(env).profile("one.example"), "web_proxy_addr: one.example:3080\nroles: access\n");
    expect(await bothSay([], env)).toMatchObject({ code: 1, stderr: expect.stringContaining("is damaged: roles is not as it should be") as string });
    await writeFile(clientHome(env).profile("one.example"), "user: ana\n");
    expect(await bothSay([], env)).toMatchObject({ code: 1, stderr: expect.stringContaining("web_proxy_addr is missing") as string });
  });

  it("with an agent, which it starts, and while that one is locked", async () => {
    const env = { ...(await homeWith([{ name: "one.example", ends: 3 * hour }])), TSH_AGENT: "" };
    try {
      expect(await tsh(["status"], env)).toMatchObject({ code: 0, stderr: "" });
      await expect.poll(async () => (await tsh(["agent", "status"], env)).code).toBe(0);
      expect(await bothSay([], env)).toMatchObject({ code: 0 });
      expect(await run(process.execPath, [tshPath, "agent", "lock"], { env, input: "open sesame\n" })).toMatchObject({ code: 0 });
      const locked = await bothSay([], env);
      expect(locked.code).toBe(3);
      expect(locked.stdout + locked.stderr).toContain("tsh agent unlock");
    } finally {
      await tsh(["agent", "stop"], env);
    }
  });
});
