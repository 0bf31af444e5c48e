import { mkdtemp, mkdir, rm, symlink, utimes, writeFile, readdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { manualClock } from "../../base/index.ts";
import { kubeCredentials, type CredentialsAnswer, type CredentialsOptions } from "./credentials.ts";
import { clientHome } from "./home.ts";
import { openLogins } from "./logins.ts";
import type { LoginRecord } from "./record.ts";

const now = Date.parse("2026-11-24T09:00:00Z");
let folder: string;
let logins = 0;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "gatehouse-credentials-"));
  logins = 0;
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const record = (left: number): LoginRecord => ({
  version: 1,
  proxy: "gw.example.com:3080",
  cluster: "example",
  username: "ana",
  privateKey: "KEY",
  sshCertificate: "SSH",
  tlsCertificate: "CERT",
  hostKeys: [],
  hostCertificates: ["CA"],
  issued: now,
  expires: now + left,
});

async function store(login: LoginRecord): Promise<void> {
  const home = clientHome({ HOME: folder });
  await openLogins(home, "file", {}).write("gw.example.com", login);
  await writeFile(home.profile("gw.example.com"), "web_proxy_addr: gw.example.com:3080\nuser: ana\nauth_type: github\nkeystore: file\n");
  await symlink("gw.example.com.yaml", home.current).catch(() => undefined);
}

const info = (interactive: boolean, version = "v1"): string => JSON.stringify({ apiVersion: `client.authentication.k8s.io/${version}`, kind: "ExecCredential", spec: { interactive } });

function ask(options: Partial<CredentialsOptions> & { readonly info?: string } = {}): Promise<CredentialsAnswer> {
  return kubeCredentials({
    env: { HOME: folder, KUBERNETES_EXEC_INFO: options.info },
    clock: manualClock(now),
    proxy: "gw.example.com",
    parent: 77,
    stdinIsTerminal: () => false,
    hasTerminal: () => Promise.resolve(true),
    login: async () => {
      logins += 1;
      await new Promise((resolve) => setTimeout(resolve, 30));
      await store(record(3_600_000));
    },
    ...options,
  });
}

describe("a login that is good", () => {
  it("is answered in the version that kubectl asked in, and nothing else is said", async () => {
    await store(record(3_600_000));
    for (const version of ["v1", "v1beta1"]) {
      const answer = await ask({ info: info(false, version) });
      expect(answer).toMatchObject({ exitCode: 0, stderr: "" });
      expect(JSON.parse(answer.stdout)).toEqual({
        kind: "ExecCredential",
        apiVersion: `client.authentication.k8s.io/${version}`,
        spec: { interactive: false },
        status: { expirationTimestamp: "2026-11-24T10:00:00Z", clientCertificateData: "CERT", clientKeyData: "KEY" },
      });
    }
    expect((await ask({ proxy: undefined })).exitCode).toBe(0);
    expect(logins).toBe(0);
  });

  it("is refused to a version that nobody knows, and to what is not a request", async () => {
    await store(record(3_600_000));
    for (const bad of [info(true, "v1alpha1"), "{", "[]", '{"kind":"Pod"}']) await expect(ask({ info: bad })).rejects.toMatchObject({ code: "bad_parameter" });
  });
});

describe("a login that has ended", () => {
  it("without questions: exit 3 with the line to run, once per parent process in 30 s", async () => {
    await store(record(-180_000));
    const first = await ask({ info: info(false) });
    expect(first).toEqual({ exitCode: 3, stdout: "", stderr: "tsh: your login to gw.example.com ended 3 min ago; run: tsh login --proxy=gw.example.com --auth=github\n" });
    expect(await ask({ info: info(false) })).toEqual({ exitCode: 3, stdout: "", stderr: "" });
    expect((await ask({ info: info(false), parent: 78 })).stderr).not.toBe("");
    const refusals = clientHome({ HOME: folder }).refusals;
    for (const name of await readdir(refusals)) await utimes(join(refusals, name), new Date(Date.now() - 31_000), new Date(Date.now() - 31_000));
    expect((await ask({ info: info(false) })).stderr).not.toBe("");
    expect(logins).toBe(0);
  });

  it("is ended 30 s before its end: kubectl must not start with what dies under way", async () => {
    await store(record(29_000));
    expect((await ask({ info: info(false) })).stderr).toContain("ends in 29 s");
    await store(record(31_000));
    expect((await ask({ info: info(false) })).exitCode).toBe(0);
  });

  it("without a terminal, or from a script by hand: no login", async () => {
    await store(record(-1));
    expect((await ask({ info: info(true), hasTerminal: () => Promise.resolve(false) })).exitCode).toBe(3);
    expect((await ask({ parent: 79 })).exitCode).toBe(3);
    expect(logins).toBe(0);
  });

  it("on a terminal: one login for forty who wait", async () => {
    await store(record(-1));
    const answers = await Promise.all(Array.from({ length: 40 }, (_, parent) => ask({ info: info(true), parent })));
    expect(answers.map((answer) => answer.exitCode)).toEqual(Array.from({ length: 40 }, () => 0));
    expect(logins).toBe(1);
  });

  it("on a terminal where the login fails: one attempt, one error, and the others say what to run", async () => {
    await store(record(-1));
    const login = async (): Promise<void> => {
      logins += 1;
      await new Promise((resolve) => setTimeout(resolve, 1000));
      throw new Error("GitHub said no");
    };
    const results = await Promise.allSettled(Array.from({ length: 10 }, (_, parent) => ask({ info: info(true), parent, login })));
    expect(logins).toBe(1);
    expect(results.filter((result) => result.status === "rejected")).toHaveLength(1);
    expect(results.filter((result) => result.status === "fulfilled" && result.value.exitCode === 3)).toHaveLength(9);
    // kubectl runs its plugin again: the one that failed stays silent.
    const failed = results.findIndex((result) => result.status === "rejected");
    expect(await ask({ info: info(true), parent: failed, login })).toEqual({ exitCode: 3, stdout: "", stderr: "" });
    expect(logins).toBe(1);
  });
});

describe("no login at all", () => {
  it("says so: with the gateway that was named, and without one", async () => {
    expect((await ask({ info: info(false) })).stderr).toBe("tsh: you are not logged in to gw.example.com; run: tsh login --proxy=gw.example.com\n");
    await expect(ask({ proxy: undefined })).rejects.toMatchObject({ code: "unauthenticated" });
  });

  it("that can be read says so without quoting it", async () => {
    await store(record(1));
    const home = clientHome({ HOME: folder });
    await writeFile(join(home.keys, "gw.example.com.json"), '{"privateKey":"SECRET"', { mode: 0o600 });
    await expect(ask()).rejects.toThrow(/^the stored login is damaged$/);
    await mkdir(join(folder, "x"));
  });
});

describe("a crowd", () => {
  it("hears the reason once: the children of all that were started together", async () => {
    await store(record(-60_000));
    const group = (name: string | undefined) => () => Promise.resolve(name);
    const heard = await Promise.all(Array.from({ length: 40 }, (_, parent) => ask({ info: info(false), parent, group: group("5") })));
    expect(heard.map(({ exitCode }) => exitCode)).toEqual(heard.map(() => 3));
    expect(heard.filter(({ stderr }) => stderr !== "")).toHaveLength(1);
    expect((await ask({ info: info(false), parent: 100, group: group("6") })).stderr).not.toBe("");
    for (const parent of [101, 102]) expect((await ask({ info: info(false), parent, group: group(undefined) })).stderr).not.toBe("");
  });
});
