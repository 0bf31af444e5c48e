import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { keepLogin, keptName, orderedProfiles, profilesOf, removeKept } from "./kept-logins.ts";
import { clientHome, openLogins, type ClientHome, type LoginRecord } from "./lean/index.ts";
import { selectProfile, writeProfile, type Profile } from "./profiles.ts";
import { chooseLogin } from "./resume.ts";

const now = Date.parse("2026-11-24T09:00:00Z");
let folder: string;
let home: ClientHome;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "gatehouse-kept-"));
  home = clientHome({ HOME: folder });
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const record = (username: string, expires: number): LoginRecord => ({ version: 1, proxy: "gw:3080", cluster: "example", username, privateKey: "KEY", sshCertificate: "S", tlsCertificate: "T", hostKeys: [], hostCertificates: [], issued: now, expires });
const profile = (user: string, expires = now + 3_600_000): Profile => ({ web_proxy_addr: "gw:3080", user, auth_type: "github", keystore: "file", valid_until: new Date(expires).toISOString() });
const logins = () => openLogins(home, "file", {});

async function inUse(user: string, expires = now + 3_600_000): Promise<void> {
  await logins().write("gw", record(user, expires));
  await writeProfile(home, "gw", profile(user, expires));
  await selectProfile(home, "gw");
}

describe("the name that a login is kept under", () => {
  it("is a plain file name, one for each user, and no gateway's", () => {
    expect(keptName("gw_4080", "bob")).toBe("gw_4080+bob");
    const users = ["bob", "Bob", "../../x", "a/b", "a+b", "b.", ".b", "~", "ünï", "", "x".repeat(500), "con "];
    const made = users.map((user) => keptName("gw", user));
    expect(new Set(made).size).toBe(users.length);
    for (const name of made) expect(name).toMatch(/^gw\+~?[a-z0-9._-]{1,64}$/);
  });
});

describe("keeping a login", () => {
  it("happens for another user's that has not ended, and for no other", async () => {
    await inUse("ana");
    await keepLogin(home, {}, "gw", { username: "ana" }, now);
    expect(await readdir(home.keys)).toEqual(["gw.json"]);
    await keepLogin(home, {}, "gw", { username: "bob" }, now);
    expect(await logins().read("gw+ana")).toMatchObject({ username: "ana" });
    await rm(home.path, { recursive: true });
    await inUse("ana", now - 1);
    await keepLogin(home, {}, "gw", { username: "bob" }, now);
    expect(await readdir(home.keys)).toEqual(["gw.json"]);
  });

  it("ends when the login does, or is damaged", async () => {
    await inUse("ana");
    await keepLogin(home, {}, "gw", { username: "bob" }, now);
    await inUse("bob");
    await keepLogin(home, {}, "gw", { username: "bob" }, now + 3_600_000);
    expect((await readdir(home.keys)).sort()).toEqual(["gw.json"]);
    expect((await readdir(home.path)).filter((name) => name.endsWith(".yaml"))).toEqual(["gw.yaml"]);
    await writeFile(join(home.keys, "gw.json"), "{", { mode: 0o600 });
    await keepLogin(home, {}, "gw", { username: "cy" }, now);
    expect(await readdir(home.keys)).toEqual(["gw.json"]);
  });

  it("of one gateway leaves another's alone, and removing says whether there was a key", async () => {
    await inUse("ana");
    await keepLogin(home, {}, "gw", { username: "bob" }, now);
    await keepLogin(home, {}, "gw_4080", { username: "bob" }, now + 7_200_000);
    expect(await logins().read("gw+ana")).toBeDefined();
    expect(await removeKept(home, {}, "gw+ana")).toBe(true);
    expect(await removeKept(home, {}, "gw+ana")).toBe(false);
  });
});

describe("the order of logins", () => {
  it("is: the current gateway's, those kept there, the others", async () => {
    await mkdir(home.path);
    for (const name of ["a", "gw", "gw+ana", "z", "z+bob"]) await writeProfile(home, name, profile(name));
    await selectProfile(home, "z");
    expect((await orderedProfiles(home)).map(({ name, current }) => `${name}${current ? "*" : ""}`)).toEqual(["z*", "z+bob", "a", "gw", "gw+ana"]);
    expect((await profilesOf(home, "gw")).map(({ name }) => name)).toEqual(["gw", "gw+ana"]);
  });
});

describe("the login that is wanted", () => {
  const all = [
    { name: "gw", profile: profile("ana") },
    { name: "gw+bob", profile: { ...profile("bob"), auth_type: "local" } },
    { name: "gw+cy", profile: { ...profile("cy"), auth_type: "okta" } },
    { name: "gw+di", profile: { ...profile("di"), auth_type: "okta" } },
  ];
  it.each([
    [{}, "gw"],
    [{ auth: "github" }, "gw"],
    [{ user: "ana" }, "gw"],
    [{ user: "ana", auth: "local" }, undefined],
    [{ user: "bob" }, "gw+bob"],
    [{ auth: "local" }, "gw+bob"],
    [{ auth: "okta" }, undefined],
    [{ auth: "okta", user: "di" }, "gw+di"],
    [{ user: "nobody" }, undefined],
  ])("%j → %s", (wanted, name) => {
    expect(chooseLogin(all, { auth: undefined, user: undefined, ...wanted })?.name).toBe(name);
  });

  it("is none of a profile that was logged out of, and nobody is switched unasked", () => {
    const [first, ...kept] = all;
    const out = { name: "gw", profile: { ...first!.profile, keystore: undefined } };
    expect(chooseLogin([out, ...kept], { auth: undefined, user: undefined })).toBeUndefined();
    expect(chooseLogin([out, ...kept], { auth: undefined, user: "bob" })?.name).toBe("gw+bob");
  });
});
