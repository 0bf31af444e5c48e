import { execFile } from "node:child_process";
import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { verifyLogs } from "@gatehouse/core/audit/verify";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { openLogs } from "./files.ts";

const run = promisify(execFile);
const day = "2026-11-23.00:00:00.log";
const sid = "00000000-0000-4000-8000-000000000000";
let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "gatehouse-logs-"));
  await mkdir(join(directory, "gw1/sessions/default"), { recursive: true });
  await writeFile(join(directory, "gw1", day), "");
  await symlink(join("gw1", day), join(directory, "events.log"));
});
afterEach(() => rm(directory, { recursive: true }));

const findings = async () => (await verifyLogs({ sources: await openLogs(directory), witnesses: [] })).findings;

describe("what has the name of a day and is no file", () => {
  const other = "2026-11-24.00:00:00.log";
  const ways: Readonly<Record<string, (path: string) => Promise<unknown>>> = {
    "a pipe": (path) => run("mkfifo", [path]),
    "a folder": (path) => mkdir(path),
    "a link to a device": (path) => symlink("/dev/zero", path),
    "a link to a file": (path) => symlink(join(directory, "gw1", day), path),
  };
  it.each(Object.keys(ways))("%s is named, and nobody waits for it", async (name) => {
    await ways[name]!(join(directory, "gw1", other));
    expect(await findings()).toMatchObject([{ kind: "added", server: "gw1", place: { file: other } }]);
  });
});

it("a folder of a gateway that is a link is named", async () => {
  const elsewhere = await mkdtemp(join(tmpdir(), "gatehouse-elsewhere-"));
  await writeFile(join(elsewhere, day), "garbage\n");
  await symlink(elsewhere, join(directory, "gw2"));
  expect(await findings()).toMatchObject([{ kind: "added", server: "gw2" }]);
  await rm(elsewhere, { recursive: true });
});

it("a day that is pruned while others are read has no lines", async () => {
  const sources = await openLogs(directory);
  await rm(join(directory, "gw1", day));
  expect((await verifyLogs({ sources, witnesses: [] })).findings).toEqual([]);
});

describe("recordings", () => {
  const name = `gw1/sessions/default/${sid}.rec`;

  it("are listed, and one that nobody knows is named", async () => {
    await writeFile(join(directory, name), "x");
    expect(await findings()).toMatchObject([{ kind: "added", text: `${name} is a recording that no session's end names` }]);
  });

  it("are not read through links", async () => {
    await symlink("/dev/zero", join(directory, name));
    const [log] = await openLogs(directory);
    expect(await log!.recording(name)).toBeUndefined();
    await rm(join(directory, "gw1/sessions"), { recursive: true });
    const elsewhere = await mkdtemp(join(tmpdir(), "gatehouse-elsewhere-"));
    await mkdir(join(elsewhere, "default"));
    await writeFile(join(elsewhere, `default/${sid}.rec`), "x");
    await symlink(elsewhere, join(directory, "gw1/sessions"));
    expect(await log!.recording(name)).toBeUndefined();
    await rm(elsewhere, { recursive: true });
  });
});
