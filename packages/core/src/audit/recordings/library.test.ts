import { mkdir, mkdtemp, rm, symlink, truncate, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { nullLogger, readAll } from "../../base/index.ts";
import { RecordingBuilder, emptyRecordingChain, encodeChunk, encodeRecordingJson, type KubeSession, type RecordedSession, type RecordingRecord, type SshSession } from "../../formats/index.ts";
import { createCatalogue } from "./catalogue.ts";
import { openRecordingLibrary, type RecordingLibrary } from "./index.ts";

let directory: string;
let library: RecordingLibrary;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "recordings-"));
  library = openRecordingLibrary({ directory, logger: nullLogger });
});
afterEach(() => rm(directory, { recursive: true, force: true }));

const sidOf = (number: number): string => `6f0e2a1c-0000-4000-8000-${String(number).padStart(12, "0")}`;
const day = 86_400_000;

type Saved = SshSession | (Partial<KubeSession> & { readonly sid: string });

function sessionOf(session: Saved): RecordedSession {
  if (session.proto === "ssh") return session;
  const { started = 10 * day } = session;
  return { kind: "exec", user: "ana", roles: [], groups: [], cluster: "example", namespace: "default", pod: "web", container: "web", command: ["sh"], tty: true, stdin: true, address: "1.2.3.4:5", server_id: "one", started, ...session };
}

function bytesOf(session: Saved, ended = true): Buffer {
  const started = session.started ?? 10 * day;
  const header: RecordingRecord = {
    type: "h",
    at: 0,
    data: encodeRecordingJson({
      version: 2,
      width: 80,
      height: 24,
      timestamp: Math.floor(started / 1000),
      gatehouse: sessionOf(session),
    }),
  };
  const first = encodeChunk(emptyRecordingChain, [header, { type: "o", at: 10, data: Buffer.alloc(1000, "a") }]);
  const chain = new RecordingBuilder({ hash: first.subarray(12, 44), index: 1 }).chain;
  const last: RecordingRecord = ended ? { type: "x", at: 4200, data: encodeRecordingJson({ reason: "exited", exitCode: 3 }) } : { type: "o", at: 4200, data: Buffer.from("b") };
  return Buffer.concat([first, encodeChunk(chain, [last])]);
}

async function save(session: Saved, options: { readonly server?: string; readonly name?: string; readonly ended?: boolean } = {}): Promise<string> {
  const folder = join(directory, options.server ?? "one", "sessions", "default");
  await mkdir(folder, { recursive: true });
  const path = join(folder, options.name ?? `${session.sid}.rec`);
  await writeFile(path, bytesOf(session, options.ended ?? true));
  const when = ((session.started ?? 10 * day) + 4200) / 1000;
  await utimes(path, when, when);
  return path;
}
const list = async (query: Partial<Parameters<RecordingLibrary["list"]>[0]> = {}, visible = () => true): Promise<string[]> =>
  (await library.list({ limit: 100, ...query }, visible)).map(({ sid }) => sid);

describe("the catalogue of recordings", () => {
  it("is looked through once for all who ask before that begins, and by nobody else meanwhile", async () => {
    const catalogue = createCatalogue({ directory, logger: nullLogger });
    const first = catalogue.entries();
    let third: Promise<unknown> | undefined;
    const asked = first.then(() => (third = catalogue.entries()));
    const second = catalogue.entries();
    expect(second).not.toBe(first);
    await asked;
    expect(third).toBe(second);
  });
});

describe("the library of recordings", () => {
  it("is empty where nothing was recorded", async () => {
    expect(await list()).toEqual([]);
    await expect(library.open(sidOf(1))).rejects.toMatchObject({ code: "not_found" });
  });

  it("lists what ended, of every gateway, the latest first, by what is asked", async () => {
    await save({ sid: sidOf(1), started: 10 * day });
    await save({ sid: sidOf(2), started: 12 * day, user: "bo", kind: "attach" }, { server: "two" });
    await save({ sid: sidOf(3), started: 11 * day, cluster: "prod", pod: "db" });
    expect(await list()).toEqual([sidOf(2), sidOf(3), sidOf(1)]);
    expect(await list({ limit: 1 })).toEqual([sidOf(2)]);
    expect(await list({ user: "ana" })).toEqual([sidOf(3), sidOf(1)]);
    expect(await list({ kind: "attach" })).toEqual([sidOf(2)]);
    expect(await list({ cluster: "prod" })).toEqual([sidOf(3)]);
    expect(await list({ pod: "web", since: 11 * day })).toEqual([sidOf(2)]);
    expect(await list({ id: sidOf(3) })).toEqual([sidOf(3)]);
    expect(await library.list({ limit: 10, user: "ana" }, (session) => session?.pod === "db")).toMatchObject([{ facts: { duration: 4200, end: { reason: "exited", exitCode: 3 }, size: { columns: 80, rows: 24 } } }]);
  });

  it("lists sessions on hosts by host, id of the host, login and kind", async () => {
    const ssh = (number: number, login: string, kind: SshSession["kind"]): SshSession => {
      const node = { id: "n-1", name: "web-1", address: "10.0.0.9:22", labels: { env: "prod" } };
      return { sid: sidOf(number), proto: "ssh", kind, user: "ana", roles: [], command: [], tty: true, stdin: true, address: "1.2.3.4:5", server_id: "one", started: (10 + number) * day, login, node };
    };
    await save(ssh(1, "root", "shell"));
    await save(ssh(2, "deploy", "sftp"));
    await save({ sid: sidOf(3), cluster: "web-1" });
    expect(await list({ node: "web-1" })).toEqual([sidOf(2), sidOf(1)]);
    expect(await list({ node: "n-1", login: "root" })).toEqual([sidOf(1)]);
    expect(await list({ kind: "sftp" })).toEqual([sidOf(2)]);
    expect(await library.list({ limit: 9 }, (session) => session?.proto === "ssh" && session.login === "root")).toMatchObject([{ facts: { session: { proto: "ssh", node: { labels: { env: "prod" } } } } }]);
  });

  it("opens by session id alone, and gives the bytes", async () => {
    await save({ sid: sidOf(1) });
    const recording = await library.open(sidOf(1));
    expect(await readAll(recording.stream(), 1024 * 1024, "it")).toEqual(bytesOf({ sid: sidOf(1) }));
    for (const wrong of ["../../one", `../default/${sidOf(1)}`, sidOf(1).toUpperCase(), `${sidOf(1)}.rec`, "", "6f0e2a1c", `${sidOf(1)}\0`]) {
      await expect(library.open(wrong)).rejects.toMatchObject({ code: "not_found" });
    }
  });

  it("leaves out what is no recording: links, folders, live ones", async () => {
    const path = await save({ sid: sidOf(1) });
    await symlink(path, join(directory, "one/sessions/default", `${sidOf(2)}.rec`));
    await save({ sid: sidOf(3) }, { name: `${sidOf(3)}.live` });
    await mkdir(join(directory, "one/sessions/default", `${sidOf(4)}.rec`));
    expect(await list()).toEqual([sidOf(1)]);
    await expect(library.open(sidOf(2))).rejects.toMatchObject({ code: "not_found" });
  });

  it("lists what is damaged as such, for whoever may see what nothing is known of", async () => {
    await save({ sid: sidOf(1) });
    await save({ sid: sidOf(5) }, { name: `${sidOf(4)}.rec` });
    await writeFile(join(directory, "one/sessions/default", `${sidOf(6)}.rec`), "not a recording at all, but long enough to look like one");
    await writeFile(join(directory, "one/sessions/default", `${sidOf(7)}.rec`), "");
    const path = await save({ sid: sidOf(8), started: 9 * day });
    const bytes = bytesOf({ sid: sidOf(8), started: 9 * day });
    bytes.write("EVIL", bytes.lastIndexOf("GHR1"));
    await writeFile(path, bytes);
    const found = new Map((await library.list({ limit: 10 }, () => true)).map((one) => [one.sid, one]));
    expect([...found.keys()].sort()).toEqual([1, 4, 6, 7, 8].map(sidOf));
    expect(found.get(sidOf(1))).toMatchObject({ problem: undefined });
    expect(found.get(sidOf(4))).toMatchObject({ facts: undefined, problem: `the file is a recording of session ${sidOf(5)}` });
    expect(found.get(sidOf(6))).toMatchObject({ facts: undefined, serverId: "one", problem: "the file is no recording: no chunk at byte 0" });
    expect(found.get(sidOf(7))).toMatchObject({ facts: undefined });
    expect(found.get(sidOf(8))).toMatchObject({ facts: { session: { user: "ana" }, end: undefined }, problem: expect.stringContaining("the recording is damaged: no chunk at byte") as string });
    expect((await library.list({ limit: 10 }, (session) => session?.user === "ana")).map(({ sid }) => sid).sort()).toEqual([sidOf(1), sidOf(8)]);
    // Its good part can still be had.
    await (await library.open(sidOf(8))).close();
    await expect(library.open(sidOf(6))).rejects.toMatchObject({ code: "bad_parameter" });
  });

  it("goes by the start of sessions, whatever the files' times say, and stops at the limit", async () => {
    for (let number = 1; number <= 6; number++) {
      const path = await save({ sid: sidOf(number), started: (10 + number) * day });
      await utimes(path, (90 - number) * 86_400, (90 - number) * 86_400);
    }
    const asked: string[] = [];
    const found = await library.list({ limit: 2 }, (session) => asked.push(session?.sid ?? "") > 0);
    expect(found.map(({ sid }) => sid)).toEqual([sidOf(6), sidOf(5)]);
    expect(asked).toEqual([sidOf(6), sidOf(5)]);
    expect(await list({ since: 15 * day })).toEqual([sidOf(6), sidOf(5)]);
  });

  it("reads each recording once, whoever asks and however often, and sees what comes and goes", async () => {
    const folder = join(directory, "one", "sessions", "default");
    await mkdir(folder, { recursive: true });
    const count = 2000;
    await Promise.all(Array.from({ length: count }, (_, number) => writeFile(join(folder, `${sidOf(number)}.rec`), bytesOf({ sid: sidOf(number), started: number }))));
    const none = (): Promise<readonly unknown[]> => library.list({ limit: 10 }, () => false);
    await none();
    // Their bytes are not read again: what they say is remembered.
    for (let number = 0; number < count; number++) if (number % 100 !== 0) await writeFile(join(folder, `${sidOf(number)}.rec`), "");
    expect(await Promise.all(Array.from({ length: 20 }, none))).toEqual(Array.from({ length: 20 }, () => []));
    expect(await list({ limit: 3 }, () => true)).toHaveLength(3);
    await rm(join(folder, `${sidOf(1900)}.rec`));
    await save({ sid: sidOf(5000), started: day });
    const seen = (await library.list({ limit: 1000 }, (session) => ((session?.sid ?? "") >= sidOf(1800)))).map(({ sid }) => sid);
    expect([seen[0], seen.includes(sidOf(1800)), seen.includes(sidOf(1900)), seen.length]).toEqual([sidOf(5000), true, false, 200]);
  });

  it("refuses more lists at once than it takes", async () => {
    await save({ sid: sidOf(1) });
    const outcomes = await Promise.allSettled(Array.from({ length: 40 }, () => library.list({ limit: 1 }, () => true)));
    expect(outcomes.filter(({ status }) => status === "fulfilled")).toHaveLength(36);
  });

  it("tells of one that has no end, or is cut off", async () => {
    await save({ sid: sidOf(1) }, { ended: false });
    const path = await save({ sid: sidOf(2) });
    await truncate(path, bytesOf({ sid: sidOf(2) }).length - 5);
    const found = await library.list({ limit: 10 }, () => true);
    expect(found.map(({ facts }) => [facts?.end, facts?.duration])).toEqual(expect.arrayContaining([[undefined, 4200], [undefined, 10]]));
  });
});
