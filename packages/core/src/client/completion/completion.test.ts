import { mkdtemp, readdir, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { manualClock } from "../../base/index.ts";
import { parseRef } from "../../resources/index.ts";
import { clientHome, type ClientHome } from "../lean/index.ts";
import { bounds, cacheKey, forgetNames, keepNames, markTried, readNames } from "./cache.ts";
import { candidatesAt, listedKinds, namedKinds, type Answer } from "./candidates.ts";
import type { Manifest } from "./manifest.ts";
import type { NamePlaces } from "./places.ts";
import { renderFish, renderZsh } from "./render.ts";
import { walk } from "./walk.ts";

const manifest: Manifest = {
  version: 1,
  name: "tsh",
  commands: {
    get: { summary: "Print", flags: [], args: [{ name: "resource" }] },
    rm: { summary: "Remove", flags: [], args: [{ name: "resource" }] },
    "kube:login": { summary: "Select", flags: [{ name: "proxy", value: "<gateway>" }, { name: "all", summary: "All" }], args: [{ name: "cluster" }] },
    proxy: { summary: "Gateway", flags: [{ name: "config", char: "c", value: "<file>" }], args: [] },
    "proxy:ssh": { summary: "Carry", flags: [], args: [] },
    ssh: {
      summary: "Log in",
      verbatim: true,
      flags: [{ name: "login", char: "l", value: "<name>" }, { name: "tty", char: "t" }, { name: "forward", char: "L", value: "", multiple: true }, { name: "openssh", negatable: true }, { name: "format", value: "", options: ["text", "json"] }],
      args: [],
    },
    scp: { summary: "Copy", flags: [], args: [] },
    add: { summary: "Add", flags: [{ name: "roles", value: "<role,…>" }], args: [] },
  },
  topics: { kube: "Clusters" },
  leading: { "--proxy": true, "--debug": false },
};
const places: NamePlaces = {
  args: { get: { each: ["ref", "ref-name"] }, rm: { each: ["one-ref"] }, "kube:login": { each: ["cluster"] }, ssh: { each: ["target"] }, scp: { rest: "copy" } },
  flags: { proxy: "profile", roles: "roles", "ssh --login": "login" },
};
const names: Readonly<Record<string, readonly { readonly name: string; readonly logins?: readonly string[] }[]>> = {
  node: [{ name: "web-1", logins: ["root", "deploy"] }, { name: "web-2", logins: ["deploy"] }],
  cluster: [{ name: "prod" }, { name: "staging" }],
  profile: [{ name: "gw.example.com" }],
  login: [{ name: "root" }],
  role: [{ name: "access" }, { name: "admin" }],
  "node-id": [{ name: "5d1f" }],
};

async function at(line: string): Promise<Answer> {
  const words = line.split(" ");
  const current = words.pop() ?? "";
  return candidatesAt(manifest, places, walk(manifest, words, current).spot, current, async (kind) => names[kind] ?? []);
}
const values = async (line: string): Promise<readonly string[]> => (await at(line)).candidates.map(({ value }) => value);

describe("what may stand at the cursor", () => {
  it.each([
    ["k", ["kube"]],
    ["kube ", ["login"]],
    ["kube login s", ["staging"]],
    ["kube login --p", ["--proxy="]],
    ["kube login --proxy ", ["gw.example.com"]],
    ["kube login --proxy=", ["--proxy=gw.example.com"]],
    ["kube login --all --", ["--proxy=", "--help"]],
    ["--proxy gw kube login p", ["prod"]],
    ["--p", ["--proxy="]],
    ["help ", ["get", "rm", "kube", "proxy", "ssh", "scp", "add"]],
    ["proxy ", ["ssh"]],
    ["nosuch ", []],
    ["ssh w", ["web-1", "web-2"]],
    ["ssh r", ["root@"]],
    ["ssh root@", ["root@web-1"]],
    ["ssh -tl ", ["root"]],
    ["ssh -l root -t web", ["web-1", "web-2"]],
    ["ssh web-1 ", []],
    ["ssh web-1 --fo", ["--forward=", "--format="]],
    ["ssh web-1 ls --", []],
    ["ssh --forward=x --fo", ["--forward=", "--format="]],
    ["ssh --no", ["--no-openssh"]],
    ["ssh --format=j", ["--format=json"]],
    ["ssh --format j", ["json"]],
    ["ssh -- w", ["web-1", "web-2"]],
    ["ssh -t", ["-t"]],
    ["scp w", ["web-1:", "web-2:"]],
    ["scp web-1:", []],
    ["get r", ["roles"]],
    ["get role", ["roles", "role/access", "role/admin"]],
    ["get roles/a", ["roles/access", "roles/admin"]],
    ["get ROLE/ad", ["ROLE/admin"]],
    ["get role a", ["access", "admin"]],
    ["get token/", []],
    ["get node/", ["node/5d1f"]],
    ["rm ro", ["role/"]],
    ["add --roles=", ["--roles=access", "--roles=admin"]],
    ["add --roles admin,", ["admin,access"]],
  ])("%s", async (line, expected) => {
    expect(await values(line)).toEqual(expected);
  });

  it("says where files may stand", async () => {
    const files = async (line: string): Promise<string> => (await at(line)).files;
    expect(await Promise.all(["proxy --config=", "proxy -c ", "scp w", "scp ./w", "scp web-1:/", "ssh w"].map(files))).toEqual(["files", "files", "files", "files", "none", "none"]);
  });

  it("knows every kind, and one word for each", () => {
    const kinds = (words: readonly string[]): ReadonlySet<string> => new Set(words.map((word) => parseRef(word).kind));
    expect(kinds(listedKinds)).toEqual(kinds(namedKinds));
    expect([listedKinds.length, namedKinds.length, kinds(listedKinds).size]).toEqual([11, 11, 11]);
  });

  it("never throws, whatever is typed", () => {
    const word = fc.oneof(fc.string(), fc.constantFrom("--", "-", "ssh", "kube", "--proxy", "--proxy=", "help", "__proto__", "constructor"));
    fc.assert(fc.property(fc.array(word), word, (words, current) => void walk(manifest, words, current)));
  });
});

describe("what a shell is told", () => {
  const hostile = ["a\tb", "a\nb", "\u001b[31m", "\u202eevil", "-rf", ""].map((value) => ({ value }));
  it("is one line for each candidate, with nothing in it that a terminal obeys", () => {
    expect(renderFish({ candidates: [...hostile, { value: "web", note: "a\tb\n\u001b[2J" }, { value: "web" }], files: "none" })).toBe(":none\n-rf\nweb\ta\\tb\\n\\x1b[2J\n");
    expect(renderZsh({ candidates: [{ value: "--proxy=gw", note: "a\tb" }, { value: "--proxy=", open: true }], files: "files" }, "--proxy=")).toBe(":files\n+\tgw\ta\\tb\n-\t\t\n");
  });
});

describe("names that are kept", () => {
  let folder: string;
  let home: ClientHome;
  const clock = manualClock(1_000_000_000_000);
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "gatehouse-names-"));
    home = clientHome({ TELEPORT_HOME: folder });
  });
  afterAll(() => rm(folder, { recursive: true }));
  const key = cacheKey("gw", "tsh", ["ana"]);

  it("are this person's alone, bounded, and have nothing in them that cannot be typed", async () => {
    const many = Array.from({ length: bounds.names + 5 }, (_, index) => ({ name: `n${String(index)}` }));
    await keepNames(home, key, { node: [{ name: "web\u001b", logins: [] }, { name: "-x" }, { name: "web", note: "n".repeat(500), logins: ["root", "a\nb"] }, { name: "web" }], role: many }, clock);
    const { node, role } = await readNames(home, key, clock);
    expect(node).toEqual({ age: 0, names: [{ name: "web", note: `${"n".repeat(79)}…`, logins: ["root"] }] });
    expect(role?.names.length).toBe(bounds.names);
    for (const name of await readdir(home.cache)) expect([name, (await stat(join(home.cache, name))).mode & 0o077]).toEqual([name, 0]);
    expect((await stat(home.cache)).mode & 0o777).toBe(0o700);
  });

  it("stay beside those of another kind, are old after a day, and are not believed of a clock that went back", async () => {
    clock.advance(70_000);
    await keepNames(home, key, { role: [{ name: "admin" }] }, clock);
    expect(await readNames(home, key, clock)).toMatchObject({ node: { age: 70_000 }, role: { age: 0, names: [{ name: "admin" }] } });
    clock.advance(86_400_000 - 60_000);
    expect(Object.keys(await readNames(home, key, clock))).toEqual(["role"]);
    clock.advance(-86_400_000 * 2);
    expect(await readNames(home, key, clock)).toEqual({});
    clock.advance(86_400_000 * 2);
  });

  it("are forgotten at a logout, those of other gateways not; a damaged file is as good as none", async () => {
    const other = cacheKey("gw2", "tsh", ["ana"]);
    await keepNames(home, other, { role: [{ name: "admin" }] }, clock);
    await keepNames(home, key, { role: [{ name: "admin" }] }, clock);
    await forgetNames(home, "gw");
    expect(await readNames(home, key, clock)).toEqual({});
    expect(Object.keys(await readNames(home, other, clock))).toEqual(["role"]);
    for (const text of ["", "{", "[]", '{"kinds":{"role":{"at":"x","names":[]}}}', '{"kinds":{"role":{"at":1,"names":[{"name":1}]}}}', '{"kinds":null}', "null"]) {
      await writeFile(join(home.cache, `${other}.json`), text);
      expect([text, (await readNames(home, other, clock)).role]).toEqual([text, undefined]);
    }
  });

  it("are fetched by one at a time, and not again at once where that failed", async () => {
    expect(await markTried(home, key, ["node"])).toBe(true);
    expect(await markTried(home, key, ["node"])).toBe(false);
    expect(await markTried(home, key, ["role"])).toBe(true);
  });
});
