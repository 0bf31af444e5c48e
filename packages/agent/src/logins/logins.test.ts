import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { generateKeyPairSync } from "node:crypto";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { GatehouseError, manualClock, systemRandom, type ManualClock } from "@gatehouse/core/base";
import { clientHome, formatRecord, openLogins, parseRecord, type ClientHome, type LoginRecord, type LoginStore } from "@gatehouse/core/client/lean";
import { agentPlace } from "@gatehouse/core/client/local-agent";
import { parseSshCertificate, signSshCertificate, sshPublicKey, sshVerify } from "@gatehouse/core/formats";
import type { AgentLogins } from "../parts.ts";
import { createLogins, type LoginsOptions } from "./index.ts";

const start = Date.parse("2026-11-24T09:00:00Z");
const hour = 3_600_000;
let folder: string;
let home: ClientHome;
let clock: ManualClock;
let locked: boolean;
let said: string[];
const open: AgentLogins[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "gatehouse-logins-"));
  home = clientHome({ HOME: folder });
  await mkdir(home.path, { mode: 0o700 });
  clock = manualClock(start);
  locked = false;
  said = [];
});
afterEach(async () => {
  for (const logins of open.splice(0)) await logins.close();
  await rm(folder, { recursive: true, force: true });
});

const authority = generateKeyPairSync("ed25519").privateKey;
function newRecord(username = "ana", left = hour): LoginRecord {
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const fields = { type: "user", publicKey: sshPublicKey(privateKey), serial: 1n, keyId: username, principals: [username], validAfter: 0n, validBefore: 4_000_000_000n, criticalOptions: new Map(), extensions: new Map() } as const;
  return {
    version: 1,
    proxy: "gw.example.com:3080",
    cluster: "example",
    username,
    privateKey: privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
    sshCertificate: signSshCertificate(fields, authority, systemRandom),
    tlsCertificate: "CERT",
    hostKeys: [],
    hostCertificates: [],
    issued: clock.now(),
    expires: clock.now() + left,
  };
}

let changes = 0;
const profileText = (keystore: string | undefined): string => `web_proxy_addr: gw.example.com:3080\nuser: ana\n${keystore === undefined ? "" : `keystore: ${keystore}\n`}note: "${"x".repeat(++changes)}"\n`;

async function store(record: LoginRecord, profile = "gw.example.com"): Promise<void> {
  await openLogins(home, "file", {}).write(profile, record);
  await writeFile(home.profile(profile), profileText("file"));
}

function create(options: LoginsOptions = {}): AgentLogins {
  const env = { HOME: folder };
  const logins = createLogins({ env, home, place: agentPlace(env, home), clock, random: systemRandom, log: (text) => said.push(text) }, { get isLocked() { return locked; } }, options);
  open.push(logins);
  return logins;
}

describe("the agent's logins", () => {
  it("are read once, and given out as they are kept", async () => {
    const record = newRecord();
    await store(record);
    let reads = 0;
    const kept = openLogins(home, "file", {});
    const logins = create({ open: (): LoginStore => ({ ...kept, read: (profile) => (reads++, kept.read(profile)) }) });
    const answers = await Promise.all(Array.from({ length: 40 }, () => logins.credentials("gw.example.com")));
    expect(new Set(answers)).toEqual(new Set([formatRecord(record)]));
    expect(reads).toBe(1);
    expect(logins.list()).toMatchObject([{ profile: "gw.example.com", username: "ana", keystore: "file", expires: record.expires }]);
    expect(logins.isIdle).toBe(false);
  });

  it("follow logins and logouts that nobody tells of", async () => {
    const logins = create();
    expect(await logins.credentials("gw.example.com")).toBeNull();
    expect(logins.isIdle).toBe(true);
    await store(newRecord("ana"));
    expect(parseRecord((await logins.credentials("gw.example.com")) ?? "").username).toBe("ana");
    await store(newRecord("bo"));
    expect(parseRecord((await logins.credentials("gw.example.com")) ?? "").username).toBe("bo");
    await writeFile(home.profile("gw.example.com"), profileText(undefined));
    expect(await logins.credentials("gw.example.com")).toBeNull();
    await store(newRecord("cy"));
    await logins.refresh();
    expect(logins.list()).toMatchObject([{ username: "cy" }]);
    await rm(home.profile("gw.example.com"));
    await logins.refresh();
    expect(logins.list()).toEqual([]);
  });

  it("end by the clock, and come back with a new login alone", async () => {
    await store(newRecord());
    const logins = create();
    expect(await logins.credentials("gw.example.com")).not.toBeNull();
    clock.advance(hour - 29_000);
    expect(await logins.credentials("gw.example.com")).toBeNull();
    expect(logins.keys.list()).toEqual([]);
    clock.advance(hour);
    await logins.refresh();
    expect(logins.isIdle).toBe(true);
    await store(newRecord());
    expect(await logins.credentials("gw.example.com")).not.toBeNull();
  });

  it("are ssh keys, those that are kept for a switch of user excepted", async () => {
    const [ana, bo] = [newRecord("ana"), newRecord("bo")];
    await store(ana);
    await store(bo, "gw.example.com+bo");
    const logins = create();
    await logins.refresh();
    const { blob, publicKey } = parseSshCertificate(ana.sshCertificate);
    expect(logins.keys.list()).toEqual([{ blob, comment: "gatehouse ana@gw.example.com" }]);
    const data = Buffer.from("to be signed");
    expect(sshVerify(publicKey, data, logins.keys.sign(blob, data) ?? Buffer.alloc(0))).toBe(true);
    expect(logins.keys.has(parseSshCertificate(bo.sshCertificate).blob)).toBe(false);
    expect(await logins.credentials("gw.example.com+bo")).not.toBeNull();
  });

  it("are given to nobody while the agent is locked", async () => {
    await store(newRecord());
    const logins = create();
    logins.secrets.set("other", "secret");
    await logins.refresh();
    locked = true;
    for (const ask of [() => logins.credentials("gw.example.com"), () => logins.relogin({ profile: "gw.example.com" })]) {
      await expect(ask()).rejects.toMatchObject({ code: "unauthenticated", message: "the local agent is locked", hint: "unlock: tsh agent unlock" });
    }
    expect(() => logins.secrets.get("other")).toThrow("locked");
    expect(() => logins.secrets.set("other", "x")).toThrow("locked");
    expect(logins.keys.list()).toEqual([]);
    locked = false;
    expect(await logins.credentials("gw.example.com")).not.toBeNull();
  });

  it("tell why a keystore does not give them, and ask it again", async () => {
    await store(newRecord());
    let failing = true;
    const kept = openLogins(home, "file", {});
    const read = (profile: string): Promise<LoginRecord | undefined> => (failing ? Promise.reject(new GatehouseError("internal", "the keychain is locked", { hint: "unlock it" })) : kept.read(profile));
    const logins = create({ open: () => ({ ...kept, read }) });
    await expect(logins.credentials("gw.example.com")).rejects.toMatchObject({ code: "internal", message: "the keychain is locked", hint: "unlock it" });
    await logins.refresh();
    expect(said.join("\n")).toContain("the login of gw.example.com cannot be read: the keychain is locked");
    failing = false;
    expect(await logins.credentials("gw.example.com")).not.toBeNull();
  });

  it("do not hold up ssh for a keystore that hangs", async () => {
    await store(newRecord());
    let give: (record: LoginRecord) => void = () => undefined;
    const hangs = new Promise<LoginRecord>((resolve) => (give = resolve));
    const logins = create({ open: () => ({ ...openLogins(home, "file", {}), read: () => hangs }) });
    await logins.refresh();
    expect(logins.keys.list()).toEqual([]);
    give(newRecord());
  });

  it("refuse names that lead out of the home, and records that are damaged", async () => {
    const logins = create();
    for (const name of ["", "..", "../x", "a/b", ".hidden", "a\0b", "a\\b"]) await expect(logins.credentials(name)).rejects.toMatchObject({ code: "bad_parameter" });
    await store({ ...newRecord(), privateKey: "SECRET" });
    const error = await logins.credentials("gw.example.com").catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: "unauthenticated", message: "the stored login is damaged" });
    expect(JSON.stringify(error) + String((error as Error).stack)).not.toContain("SECRET");
  });
});

describe("the keystore memory", () => {
  it("keeps logins that are in no file, and loses them at their end", async () => {
    const logins = create();
    const record = newRecord();
    logins.secrets.set("gw.example.com", formatRecord(record));
    await writeFile(home.profile("gw.example.com"), profileText("memory"));
    expect(await logins.credentials("gw.example.com")).toBe(formatRecord(record));
    expect(logins.list()).toMatchObject([{ keystore: "memory" }]);
    expect(logins.secrets.delete("gw.example.com")).toBe(true);
    expect(logins.secrets.delete("gw.example.com")).toBe(false);
    await writeFile(home.profile("gw.example.com"), profileText(undefined));
    expect(await logins.credentials("gw.example.com")).toBeNull();
    logins.secrets.set("gw.example.com", formatRecord(record));
    clock.advance(hour);
    await logins.refresh();
    expect(logins.secrets.get("gw.example.com")).toBeUndefined();
    expect(logins.isIdle).toBe(true);
  });

  it("goes to the agent that takes its place", async () => {
    const logins = create();
    const record = newRecord();
    logins.secrets.set("gw.example.com", formatRecord(record));
    await writeFile(home.profile("gw.example.com"), profileText("memory"));
    const state = JSON.parse(JSON.stringify(logins.state())) as unknown;
    const next = create();
    next.restore(state);
    expect(await next.credentials("gw.example.com")).toBe(formatRecord(record));
    for (const bad of [undefined, null, {}, { secrets: [["a"]] }, { secrets: "x" }, { secrets: [], told: [], unstored: [["gw", "{", "{"]] }]) expect(() => create().restore(bad)).toThrow("cannot be read");
  });

  it("has bounds", () => {
    const logins = create();
    expect(() => logins.secrets.set("a", "x".repeat(300_000))).toThrow(expect.objectContaining({ code: "limit_exceeded" }));
    for (let index = 0; index < 256; index++) logins.secrets.set(`a${index}`, "x");
    expect(() => logins.secrets.set("one more", "x")).toThrow(expect.objectContaining({ code: "limit_exceeded" }));
    logins.secrets.set("a0", "y");
  });
});

describe("the renewal of a login", () => {
  const renewed = (before: LoginRecord): LoginRecord => ({ ...before, tlsCertificate: "RENEWED", issued: clock.now(), expires: clock.now() + 12 * hour });
  const until = async (what: () => boolean | Promise<boolean>): Promise<void> => {
    while (!(await what())) await new Promise((resolve) => setTimeout(resolve, 5));
  };

  it("goes into the login's own keystore and profile, and to who asks the agent", async () => {
    const record = { ...newRecord("ana", 12 * hour), renewableUntil: start + 30 * hour };
    await store(record);
    const asked: LoginRecord[] = [];
    const logins = create({
      renew: (before) => {
        asked.push(before);
        return Promise.resolve(renewed(before));
      },
    });
    await logins.credentials("gw.example.com");
    expect(logins.list()).toMatchObject([{ renewal: "waiting" }]);
    clock.advance(8 * hour);
    // As after a suspended machine wakes: no timer has fired, and the first request looks at the clock.
    expect(parseRecord((await logins.credentials("gw.example.com")) ?? "").tlsCertificate).toBe("CERT");
    await until(async () => (await openLogins(home, "file", {}).read("gw.example.com"))?.tlsCertificate === "RENEWED");
    await until(async () => parseRecord((await logins.credentials("gw.example.com")) ?? "").tlsCertificate === "RENEWED");
    expect(await readFile(home.profile("gw.example.com"), "utf8")).toContain(`valid_until: ${new Date(start + 20 * hour).toISOString()}`);
    expect(asked).toHaveLength(1);
    expect(logins.list()).toMatchObject([{ expires: start + 20 * hour, renewal: "waiting" }]);
  });

  it("does not bring back a login that was replaced or ended meanwhile", async () => {
    for (const change of ["login", "logout"] as const) {
      const record = { ...newRecord("ana", 12 * hour), renewableUntil: clock.now() + 30 * hour };
      await store(record);
      let give: () => void = () => undefined;
      let isAsked = false;
      const gate = new Promise<void>((resolve) => (give = resolve));
      const logins = create({
        renew: async (before) => {
          isAsked = true;
          await gate;
          return renewed(before);
        },
      });
      await logins.credentials("gw.example.com");
      clock.advance(8 * hour);
      await logins.refresh();
      await until(() => isAsked);
      if (change === "login") await store({ ...newRecord("bo", 12 * hour), tlsCertificate: "OTHER" });
      else await writeFile(home.profile("gw.example.com"), profileText(undefined));
      give();
      await until(() => said.some((text) => text.includes("has changed while it was renewed")));
      said.splice(0);
      expect(await logins.credentials("gw.example.com").then((text) => text && parseRecord(text).tlsCertificate)).toBe(change === "login" ? "OTHER" : null);
      await logins.close();
    }
  });

  it("is made of what is held by then, where another one's has to be stored first", async () => {
    await store({ ...newRecord("ana", 12 * hour), renewableUntil: start + 30 * hour }, "a.example.com");
    clock.advance(4 * hour);
    await store({ ...newRecord("bo", 12 * hour), renewableUntil: start + 30 * hour }, "b.example.com");
    const kept = openLogins(home, "file", {});
    let [writes, give] = [0, (): void => undefined];
    const gate = new Promise<void>((resolve) => (give = resolve));
    const write: LoginStore["write"] = async (profile, record) => {
      writes += 1;
      if (writes === 1) throw new GatehouseError("internal", "the keychain is locked");
      await gate;
      await kept.write(profile, record);
    };
    const asked: string[] = [];
    const logins = create({
      open: () => ({ ...kept, write }),
      renew: (before) => {
        asked.push(before.username);
        return Promise.resolve(renewed(before));
      },
    });
    await logins.credentials("a.example.com");
    clock.set(start + 8 * hour);
    await logins.refresh();
    await until(() => said.some((text) => text.includes("could not store the renewed login")));
    clock.set(start + 11.5 * hour);
    await logins.refresh();
    await until(() => writes === 2);
    // The login is the same, and what was read of it before is overwritten.
    await writeFile(home.profile("b.example.com"), profileText("file"));
    await logins.credentials("b.example.com");
    give();
    await until(() => asked.length === 2 || said.some((text) => text.includes("could not renew")));
    expect(said.filter((text) => text.includes("could not renew"))).toEqual([]);
    expect(asked).toEqual(["ana", "bo"]);
  });

  it("that no keystore takes is given out from memory, and handed on", async () => {
    const record = { ...newRecord("ana", 12 * hour), renewableUntil: start + 30 * hour };
    await store(record);
    const kept = openLogins(home, "file", {});
    const logins = create({ open: () => ({ ...kept, write: () => Promise.reject(new GatehouseError("internal", "the keychain is locked")) }), renew: (before) => Promise.resolve(renewed(before)) });
    await logins.credentials("gw.example.com");
    clock.advance(8 * hour);
    await logins.refresh();
    await until(async () => parseRecord((await logins.credentials("gw.example.com")) ?? "").tlsCertificate === "RENEWED");
    expect(logins.isIdle).toBe(false);
    const next = create({ renew: () => Promise.reject(new Error("not to be asked for twice")) });
    next.restore(logins.state());
    await until(async () => parseRecord((await next.credentials("gw.example.com")) ?? "").tlsCertificate === "RENEWED");
    expect(await kept.read("gw.example.com")).toMatchObject({ tlsCertificate: "RENEWED" });
  });
});

describe("notes", () => {
  it("say once that a login ends soon, and that it has ended", async () => {
    const bodies: string[] = [];
    await store(newRecord("ana", 12 * hour));
    const logins = create({ notifier: { show: ({ body }) => void bodies.push(body) } });
    await logins.refresh();
    clock.advance(12 * hour - 600_000);
    for (let times = 0; times < 3; times++) await logins.refresh();
    expect(bodies).toEqual(["your login to gw.example.com ends in 10 min; to go on: tsh login --proxy=gw.example.com --force"]);
    clock.advance(600_000);
    for (let times = 0; times < 3; times++) await logins.refresh();
    expect(bodies.slice(1)).toEqual(["your login to gw.example.com has ended; log in: tsh login --proxy=gw.example.com"]);
    await logins.close();
    await store({ ...newRecord(), expires: clock.now() - 1 });
    const later = create({ notifier: { show: ({ body }) => void bodies.push(body) } });
    await later.refresh();
    expect(bodies).toHaveLength(2);
  });
});
