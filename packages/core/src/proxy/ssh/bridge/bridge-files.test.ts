import { createHash, randomBytes } from "node:crypto";
import { mkdir, readFile, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { requireTool } from "../../../testing/index.ts";
import { createBridgeWorld, until } from "./test-world.ts";
import type { BridgeWorld } from "./test-world.ts";

const available = requireTool("sshd", "apt-get install openssh-server, and have /usr/sbin on PATH") && requireTool("ssh", "apt-get install openssh-client");
const extras = requireTool("rsync", "apt-get install rsync") && requireTool("git", "apt-get install git");
const sha256 = (bytes: Buffer): string => createHash("sha256").update(bytes).digest("hex");

describe.skipIf(!available)("files through a recorded connection", () => {
  let world: BridgeWorld;
  const content = randomBytes(3_000_001);
  beforeAll(async () => {
    world = await createBridgeWorld();
  });
  beforeEach(async () => {
    world.reset();
    await writeFile(join(world.directory, "a file"), content);
  });
  afterAll(() => world.close());
  const at = (name: string): string => join(world.directory, name);
  const files = (): unknown[] => world.events.filter(({ event }) => event === "scp" || event === "sftp").map(({ code, action, path, len, sha256: digest }) => ({ code, action, path, len, digest }));
  const told = (): readonly string[] => world.recordings.at(-1)!.told;

  it("by scp as OpenSSH does it now: over SFTP, each with its digest, and without their content in the recording", async () => {
    expect(await world.run("scp", ["-F", world.config, at("a file"), `web-1:${at("up")}`])).toMatchObject({ code: 0, stderr: "" });
    expect(await world.run("scp", ["-F", world.config, `web-1:${at("up")}`, at("down")])).toMatchObject({ code: 0, stderr: "" });
    expect((await readFile(at("down"))).equals(content)).toBe(true);
    await until(() => files().length >= 2);
    expect(files()).toContainEqual({ code: "G2006I", action: "upload", path: at("up"), len: content.length, digest: sha256(content) });
    expect(files()).toContainEqual({ code: "G2006I", action: "download", path: at("up"), len: content.length, digest: sha256(content) });
    expect(told().filter((each) => !each.startsWith("m:"))).toEqual(["x:the command ended with exit code 0", "settled"]);
    expect(told()[0]).toBe(`m:file download ${at("up")} (${String(content.length)} bytes, sha256 ${sha256(content)})`);
    expect(world.codes()).toContain("T3001I");
  });

  it("by scp as it was, into directories and out of them", async () => {
    await mkdir(at("tree/deep"), { recursive: true });
    await writeFile(at("tree/one"), content);
    await writeFile(at("tree/deep/two"), "");
    expect(await world.run("scp", ["-O", "-p", "-r", "-F", world.config, at("tree"), `web-1:${at("copy")}`])).toMatchObject({ code: 0, stderr: "" });
    expect(await world.run("scp", ["-O", "-r", "-F", world.config, `web-1:${at("copy")}`, at("back")])).toMatchObject({ code: 0, stderr: "" });
    expect((await readdir(at("back"), { recursive: true })).sort()).toEqual(["deep", "deep/two", "one"]);
    await until(() => world.codes().filter((code) => code === "T2004I").length === 2);
    expect(files()).toContainEqual({ code: "T3005I", action: "upload", path: at("copy/tree/one"), len: content.length, digest: sha256(content) });
    expect(files()).toContainEqual({ code: "T3004I", action: "download", path: at("copy/one"), len: content.length, digest: sha256(content) });
    expect(files()).toContainEqual({ code: "T3004I", action: "download", path: at("copy/deep/two"), len: 0, digest: sha256(Buffer.alloc(0)) });
    expect(world.recordings.at(-1)!.header.gatehouse.kind).toBe("scp");
  });

  it("by scp that may not: with the cause", async () => {
    const ran = await world.run("scp", ["-O", "-F", world.config, at("a file"), `web-1:/nowhere/at/all`]);
    expect(ran.code).toBe(1);
    await until(() => world.codes().includes("T2004I"));
    expect(files()).toEqual([{ code: "T3005E", action: "upload", path: "/nowhere/at/all", len: undefined, digest: undefined }]);
  });

  it("by sftp: names, directories and rights, too", async () => {
    const batch = `put "${at("a file")}" "${at("s1")}"\nrename "${at("s1")}" "${at("s2")}"\nmkdir "${at("d")}"\nchmod 600 "${at("s2")}"\nsymlink "${at("s2")}" "${at("link")}"\nget "${at("s2")}" "${at("got")}"\nrm "${at("s2")}"\nrmdir "${at("d")}"\n-rm "${at("gone")}"\n`;
    expect(await world.run("sftp", ["-F", world.config, "-b", "-", "web-1"], Buffer.from(batch))).toMatchObject({ code: 0 });
    await until(() => world.codes().includes("T2004I"));
    const done = world.events.filter(({ event }) => event === "sftp").map(({ action, success, path, target }) => `${action as string} ${path as string}${target === undefined ? "" : ` ${target as string}`}${success === true ? "" : " failed"}`.replaceAll(world.directory, ""));
    expect(done).toEqual(["upload /s1", "rename /s1 /s2", "mkdir /d", "setstat /s2", "symlink /link /s2", "download /s2", "remove /s2", "rmdir /d", "remove /gone failed"]);
  });

  it("that are no SFTP end the session, where it must be recorded", async () => {
    const ran = world.ssh("-s", "web-1", "sftp");
    ran.write("this is no SFTP at all");
    const { code, stderr } = await ran.done;
    expect(stderr).toContain("access ended: the session cannot be recorded, and must be: the client's SFTP cannot be read");
    expect(code).toBe(255);
  });

  it.skipIf(!extras)("by rsync and git, whose streams are recorded as they are", async () => {
    const rsh = `ssh -F ${world.config}`;
    expect(await world.run("rsync", ["-a", "-e", rsh, at("a file"), `web-1:${at("synced")}`])).toMatchObject({ code: 0, stderr: "" });
    expect((await readFile(at("synced"))).equals(content)).toBe(true);
    expect(world.recordings.at(-1)!.header.gatehouse).toMatchObject({ kind: "exec" });
    const git = (...args: readonly string[]) => world.run("git", ["-c", `core.sshCommand=${rsh}`, "-c", "user.name=a", "-c", "user.email=a@b", ...args]);
    expect((await git("init", "-q", "--bare", at("remote.git"))).code).toBe(0);
    expect(await git("clone", "-q", `web-1:${at("remote.git")}`, at("work"))).toMatchObject({ code: 0 });
    await writeFile(at("work/file"), content);
    expect((await git("-C", at("work"), "add", "file")).code).toBe(0);
    expect((await git("-C", at("work"), "commit", "-qm", "one")).code).toBe(0);
    expect(await git("-C", at("work"), "push", "-q", "origin", "HEAD:main")).toMatchObject({ code: 0, stderr: "" });
    expect((await git("-C", at("remote.git"), "rev-parse", "main")).stdout).toEqual((await git("-C", at("work"), "rev-parse", "HEAD")).stdout);
  });
});
