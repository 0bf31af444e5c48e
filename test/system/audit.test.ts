import { appendFile, cp, mkdir, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { howToGetACluster, realCluster } from "../support/cluster.ts";
import { start } from "../support/process.ts";
import { cleanEnv, createWorld, tctlPath, type Person, type World } from "../support/world.ts";

const cluster = realCluster();
if (!cluster) console.warn(howToGetACluster);

/** The audit log as an auditor meets it: built commands, a gateway with a witness, a second gateway that is one. */
let other: World;
let world: World;
let ana: Person;
let cy: Person;
let witnessFile: string;

interface Found {
  readonly unbroken: boolean;
  readonly findings: readonly { readonly kind: string; readonly place?: { readonly file: string; readonly line: number } }[];
  readonly notes: readonly { readonly kind: string }[];
  readonly servers: readonly { readonly server: string; readonly proven?: { readonly witness: string }; readonly chains: number; readonly recordings: number }[];
}
interface Event {
  readonly event: string;
  readonly user?: string;
}

beforeAll(async () => {
  other = await createWorld({
    clusterName: "other",
    config: (config) => {
      const token = join(String(config.teleport["data_dir"]), "..", "witness.token");
      Object.assign(config, { audit: { witness_for: [{ name: "example", token_file: token }] } });
    },
  });
  const token = join(other.folder, "witness.token");
  await writeFile(token, "a-token-of-the-example-cluster\n", { mode: 0o600 });
  world = await createWorld({
    config: (config) => {
      witnessFile = join(String(config.teleport["data_dir"]), "..", "witness.log");
      Object.assign(config, {
        audit: {
          witnesses: [
            { type: "file", path: witnessFile },
            { type: "gateway", url: `https://${other.proxy}`, ca_file: other.caFile, name: "example", token_file: token },
          ],
        },
      });
    },
  });
  ana = await world.person("ana");
  cy = await world.person("cy");
  await ana.logIn();
  await cy.logIn();
});
afterAll(async () => {
  await world.close();
  await other.close();
});

async function verify(args: readonly string[]): Promise<Found & { readonly code: number | null }> {
  const { code, stdout, stderr } = await world.tctl(["audit", "verify", "--format=json", ...args]);
  if (stdout === "") throw new Error(stderr);
  return { ...(JSON.parse(stdout) as Found), code };
}
const events = async (person: Pick<World, "tctl">, ...args: string[]): Promise<readonly Event[]> => {
  const { code, stdout, stderr } = await person.tctl(["events", "ls", "--format=json", ...args]);
  expect(`${String(code)} ${stderr}`).toBe("0 ");
  return JSON.parse(stdout) as Event[];
};
/** The latest day's file that has this in it. */
async function logFile(folder: string, text = ""): Promise<string> {
  const names = (await readdir(join(folder, "log"), { recursive: true })).filter((name) => /^[^/]+\/[^/]+\.log$/.test(name));
  for (const name of names.sort().reverse()) {
    const path = join(folder, "log", name);
    if ((await readFile(path, "utf8")).includes(text)) return path;
  }
  throw new Error("no log");
}

describe.skipIf(!cluster)("recordings", () => {
  it("are checked against what their session's end says", async () => {
    const own = await createWorld({ kubeconfig: cluster!.gatewayKubeconfig });
    try {
      const person = await own.person("ana");
      await person.logIn();
      const ran = await person.kubectl(["exec", "shell", "--", "echo", "for the record"]);
      expect(ran.stdout).toBe("for the record\n");
      await own.gateway.stop();
      const check = async (): Promise<Found> => JSON.parse((await own.tctl(["audit", "verify", "--format=json"])).stdout) as Found;
      const good = await check();
      expect(good.findings).toEqual([]);
      expect(good.servers[0]).toMatchObject({ recordings: 1 });
      const ended = (await own.events()).find(({ event }) => event === "session.end") as { readonly recording: { readonly file: string } };
      const file = join(own.dataDir, "log", ended.recording.file);
      const bytes = await readFile(file);
      await writeFile(file, Buffer.from(bytes.toString("latin1").replace("for the record", "off the record"), "latin1"));
      expect((await check()).findings.map(({ kind }) => kind)).toEqual(["recording"]);
      await rm(file);
      expect((await check()).findings.map(({ kind }) => kind)).toEqual(["recording"]);
    } finally {
      await own.close();
    }
  });
});

describe("events", () => {
  it("are listed for the administrator, filtered", async () => {
    const logins = await events(world, "--event=user.login");
    expect(logins.map(({ user }) => user)).toEqual(["ana", "cy"]);
    expect((await events(world, "--user=ana")).every(({ user }) => user === "ana")).toBe(true);
    expect(await events(world, "--event=user.login", "--limit=1")).toHaveLength(1);
    expect(await events(world, "--from=2020-01-01", "--to=2020-02-01")).toEqual([]);
    expect((await world.tctl(["events", "ls", "--to=2020-02-01"])).stderr).toBe("no events that you may see fit this\n");
    const table = await world.tctl(["events", "ls", "--since=1h", "--event=user.login"]);
    expect(table.stdout).toMatch(/^TIME +EVENT +USER +WHAT\n.*user\.login +ana/);
    expect((await world.tctl(["events", "ls", "--since=soon"])).code).toBe(2);
  });

  it("are refused to who may not read them, and shown as far as a rule's where goes", async () => {
    const refused = await ana.tctl(["events", "ls"]);
    expect(refused.code).toBe(4);
    expect((await ana.tctl(["events", "ls", "--follow"])).code).toBe(4);
    expect((await events(cy, "--event=user.login")).length).toBeGreaterThan(0);
    const role = { kind: "role", version: "v3", metadata: { name: "own-events" }, spec: { allow: { rules: [{ resources: ["event"], verbs: ["list", "read"], where: "equals(resource.spec.user, user.metadata.name)" }] } } };
    const file = join(world.folder, "own-events.json");
    await writeFile(file, JSON.stringify(role));
    expect((await world.tctl(["create", file])).stderr).toContain("own-events");
    const connector = JSON.parse((await world.tctl(["get", "github/github", "--with-secrets", "--format=json"])).stdout) as readonly { spec: { teams_to_roles: unknown[] } }[] | { spec: { teams_to_roles: unknown[] } };
    const one = (Array.isArray(connector) ? connector[0] : connector) as { spec: { teams_to_roles: unknown[] } };
    one.spec.teams_to_roles.push({ organization: "octocats", team: "developers", roles: ["own-events"] });
    const changed = join(world.folder, "github.json");
    await writeFile(changed, JSON.stringify(one));
    expect((await world.tctl(["create", "-f", changed])).code).toBe(0);
    await ana.logIn();
    const own = await events(ana);
    expect(own.length).toBeGreaterThan(0);
    expect(new Set(own.map(({ user }) => user))).toEqual(new Set(["ana"]));
    // Of something else than whose events they are: nobody is refused who may see one some day.
    role.spec.allow.rules[0]!.where = 'equals(resource.spec.kubernetes_namespace, "dev")';
    await writeFile(file, JSON.stringify(role));
    expect((await world.tctl(["create", "-f", file])).code).toBe(0);
    expect(await events(ana)).toEqual([]);
  });

  it("are followed as they are written", async () => {
    const following = start(process.execPath, [tctlPath, "--data-dir", world.dataDir, "events", "ls", "--follow", "--format=json", "--event=role.create"], { env: cleanEnv({ HOME: world.folder }) });
    const file = join(world.folder, "role.json");
    for (let n = 0; n < 20 && !following.stdout().includes("role.create"); n += 1) {
      await writeFile(file, JSON.stringify({ kind: "role", version: "v3", metadata: { name: `r${String(n)}` }, spec: {} }));
      await world.tctl(["create", file]);
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
    await following.waitFor(/"event":"role\.create"/, "stdout");
    await following.stop("SIGINT");
  });
});

describe("the proof", () => {
  it("is shown in the status, witnesses included", async () => {
    const { stdout } = await world.tctl(["status"]);
    expect(stdout).toContain("audit log");
    expect(stdout).toMatch(new RegExp(`${witnessFile} ✔`));
  });

  it("goes up to the last checkpoint that a witness saw, after a clean end", async () => {
    await world.restart();
    const found = await verify(["--witness", witnessFile]);
    expect(found.findings).toEqual([]);
    expect(found.code).toBe(0);
    expect(found.servers[0]!.proven).toBeDefined();
    expect(found.servers[0]!.chains).toBeGreaterThan(1);
    const kept = join(world.folder, "kept.log");
    await writeFile(kept, (await other.tctl(["audit", "witness", "example"])).stdout);
    expect((await other.tctl(["audit", "witness", "nobody"])).code).toBe(5);
    const mine = await verify(["--witness", kept]);
    expect(mine.servers[0]!.proven).toMatchObject({ witness: kept });
    const text = await world.tctl(["audit", "verify"]);
    expect(text.stdout).toContain("no witness was given: whoever is root");
    expect((await world.tctl(["audit", "verify", "--witness", witnessFile])).stdout).toContain("proven complete to");
  });

  it("survives kill -9, which is told from tampering", async () => {
    for (let round = 0; round < 5; round += 1) {
      const noise = Array.from({ length: 3 }, () => world.tctl(["get", "roles"]));
      const changes = (async () => {
        for (let n = 0; n < 3; n += 1) {
          const file = join(world.folder, `k${String(n)}.json`);
          await writeFile(file, JSON.stringify({ kind: "role", version: "v3", metadata: { name: `k${String(round)}-${String(n)}` }, spec: {} }));
          await world.tctl(["create", file]);
        }
      })();
      await new Promise((resolve) => setTimeout(resolve, 300 + 211 * round));
      await world.restart("SIGKILL");
      await Promise.all([...noise, changes]);
    }
    const found = await verify(["--witness", witnessFile]);
    expect(found.findings).toEqual([]);
    expect(found.code).toBe(0);
    // A torn line, as a crash in the middle of a write leaves it.
    await world.restart("SIGKILL");
    await world.gateway.stop("SIGKILL");
    await appendFile(await logFile(world.dataDir), '{"event":"half a li');
    await world.restart("SIGKILL");
    const after = await verify(["--witness", witnessFile]);
    expect(after.findings).toEqual([]);
    expect(after.notes.map(({ kind }) => kind)).toContain("torn");
  });

  it("ends where somebody changed a copy: exit code 1, with file and line", async () => {
    const copy = join(world.folder, "copy");
    const place = join(copy, "log");
    await mkdir(copy);
    await cp(join(world.dataDir, "log"), place, { recursive: true });
    const file = await logFile(copy, '"user.login"');
    const lines = (await readFile(file, "utf8")).split("\n");
    const line = lines.findIndex((one) => one.includes('"user.login"'));
    const name = file.slice(file.lastIndexOf("/") + 1);
    for (const [kind, changed] of [
      ["changed", lines.with(line, lines[line]!.replace("ana", "eve"))],
      ["removed", lines.toSpliced(line, 1)],
      ["added", lines.toSpliced(line, 0, lines[line]!)],
    ] as const) {
      await writeFile(file, changed.join("\n"));
      const found = await verify(["--log-dir", place, "--witness", witnessFile]);
      expect(found.code).toBe(1);
      expect(found.findings[0]).toMatchObject({ kind, place: { file: name } });
      expect(Math.abs(found.findings[0]!.place!.line - (line + 1))).toBeLessThanOrEqual(1);
    }
    const text = await world.tctl(["audit", "verify", "--log-dir", place]);
    expect(text.code).toBe(1);
    expect(text.stdout).toMatch(/: broken, \d+ finding/);
    await rm(copy, { recursive: true });
  });
});
