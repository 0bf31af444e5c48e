import { once } from "node:events";
import { createServer, get, type ClientRequest, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { Readable } from "node:stream";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { AuditEventInput, RecordingLibrary } from "../../audit/index.ts";
import type { Admin, Caller } from "../../auth/index.ts";
import type { KubeSession, SshSession } from "../../formats/index.ts";
import { GatehouseError, manualClock, nullLogger, systemRandom } from "../../base/index.ts";
import { createApp, type App } from "../http/index.ts";
import { Recorder, Sessions } from "../sessions/index.ts";
import { testRecordings } from "../sessions/test-recordings.ts";
import { recordingRoutes } from "./recording-routes.ts";
import { sessionRoutes, type SessionRouteOptions } from "./session-routes.ts";
import { createSlots, inTime } from "./streams.ts";

const sid = "6f0e2a1c-0000-4000-8000-000000000001";
const session: KubeSession = {
  ...{ sid, kind: "exec", user: "bo", roles: [], groups: [], cluster: "prod", namespace: "dev", pod: "web", container: "web", command: ["sh"], tty: true, stdin: true },
  ...{ address: "10.0.0.1:1", server_id: "gw", started: 1 },
};

describe("reading a recording", () => {
  it("ends within a second or so when its reader no longer may, and the file is closed", async () => {
    let allowed = true;
    let closed = false;
    const stream = (): Readable =>
      new Readable({
        read(size) {
          this.push(Buffer.alloc(size));
        },
        destroy(_error, done) {
          closed = true;
          done(null);
        },
      });
    const facts = { session, bytes: 1e12 };
    const library = { open: () => Promise.resolve({ facts, stream, close: () => Promise.resolve() }) } as unknown as RecordingLibrary;
    const admin = { authorizeSession: () => Promise.resolve(), explainSession: () => ({ allowed, reasons: [] }) } as unknown as Admin;
    const caller = { type: "person", identity: { username: "ana" } } as unknown as Caller;
    const audit = { emit: () => Promise.resolve() };
    const app = await createApp({ bodyLimit: 1024, logger: nullLogger, random: systemRandom, routes: (fastify) => recordingRoutes(fastify, { admin, library, audit }, () => caller) });
    const server = createServer(app.handler).listen(0, "127.0.0.1");
    await once(server, "listening");
    const request = get({ port: (server.address() as AddressInfo).port, path: `/gatehouse/v1/recordings/${sid}`, agent: false }).on("error", () => undefined);
    // Nobody takes it: it would never end.
    const [response] = (await once(request, "response")) as [IncomingMessage];
    response.on("error", () => undefined);
    await new Promise((resolve) => setTimeout(resolve, 1200));
    expect(closed).toBe(false);
    allowed = false;
    await vi.waitFor(() => expect(closed).toBe(true));
    server.closeAllConnections();
    server.close();
    await app.close();
  });
});

describe("watching a session", () => {
  let app: App;
  let server: Server;
  let events: string[];
  let writing: Promise<void>;
  beforeEach(async () => {
    const said: string[] = [];
    events = said;
    writing = Promise.resolve();
    const audit = {
      async emit({ event }: AuditEventInput) {
        said.push(event);
        await writing;
      },
      close: () => Promise.resolve(),
    };
    const clock = manualClock(0);
    const sessions = new Sessions({ recorder: new Recorder(audit, nullLogger), clock, logger: nullLogger, serverId: "gw", recordings: testRecordings(), recording: "strict" });
    const command = await sessions.open({ session, options: { recordStdin: false, maxSessions: 0, recordSession: undefined }, localAddress: "10.0.0.2:3026", kill: () => undefined });
    command.run({ lastActive: 0, carried: 0, changed: () => undefined });
    const options: SessionRouteOptions = {
      admin: { authorizeSession: () => Promise.resolve(), explainSession: () => ({ allowed: true, reasons: [] }) } as unknown as Admin,
      sessions,
      clock,
    };
    const caller = { type: "person", identity: { username: "ana" } } as unknown as Caller;
    app = await createApp({ bodyLimit: 1024, logger: nullLogger, random: systemRandom, routes: (fastify) => sessionRoutes(fastify, options, () => caller) });
    server = createServer(app.handler).listen(0, "127.0.0.1");
    await once(server, "listening");
  });
  afterEach(async () => {
    server.closeAllConnections();
    server.close();
    await app.close();
  });
  const ask = (): ClientRequest => get({ port: (server.address() as AddressInfo).port, path: `/gatehouse/v1/sessions/${sid}/watch`, agent: false }).on("error", () => undefined);
  const answer = async (request: ClientRequest): Promise<IncomingMessage> => ((await once(request, "response")) as [IncomingMessage])[0];

  it("gives its place back, and says that it is over, when the watcher goes while the event is written", async () => {
    for (let round = 0; round < 2; round++) {
      let written = (): void => undefined;
      writing = new Promise((resolve) => (written = resolve));
      const requests = Array.from({ length: 60 }, ask);
      await vi.waitFor(() => expect(events.filter((event) => event === "session.join")).toHaveLength(60 * (round + 1)));
      for (const request of requests) request.destroy();
      await new Promise((resolve) => setTimeout(resolve, 50));
      written();
      await vi.waitFor(() => expect(events.filter((event) => event === "session.leave")).toHaveLength(60 * (round + 1)));
    }
    const response = await answer(ask());
    expect(response.statusCode).toBe(200);
    response.destroy();
  });

  it("counts before it waits: not more at once than there are places for one person", async () => {
    let written = (): void => undefined;
    writing = new Promise((resolve) => (written = resolve));
    const requests = Array.from({ length: 70 }, ask);
    const answers = requests.map(answer);
    await vi.waitFor(() => expect(events).toHaveLength(64));
    written();
    const statuses = (await Promise.all(answers)).map(({ statusCode }) => statusCode);
    expect([statuses.filter((status) => status === 200).length, statuses.filter((status) => status === 429).length]).toEqual([64, 6]);
    for (const request of requests) request.destroy();
    await vi.waitFor(() => expect(events.filter((event) => event === "session.leave")).toHaveLength(64));
  });
});

describe("joining a session", () => {
  const ssh: SshSession = {
    ...{ sid, proto: "ssh", kind: "shell", user: "bo", roles: [], command: [], tty: true, stdin: true, address: "10.0.0.1:1", server_id: "gw", started: 1 },
    ...{ login: "root", node: { id: "n", name: "web-1", address: "10.0.0.9:22", labels: {} } },
  };
  const key = "00000000-0000-4000-8000-000000000001";
  let app: App;
  let port: number;
  let server: Server;
  const person = { name: "ana", verbs: new Set(["read", "connect"]) };
  const typed: string[] = [];
  beforeEach(async () => {
    typed.length = 0;
    Object.assign(person, { name: "ana", verbs: new Set(["read", "connect"]) });
    const audit = { emit: () => Promise.resolve(), close: () => Promise.resolve() };
    const clock = manualClock(0);
    const sessions = new Sessions({ recorder: new Recorder(audit, nullLogger), clock, logger: nullLogger, serverId: "gw", recordings: testRecordings(), recording: "strict" });
    const terminal = { input: (bytes: Uint8Array) => Promise.resolve(void typed.push(Buffer.from(bytes).toString())), notice: () => undefined };
    const command = await sessions.open({ session: ssh, options: { recordStdin: false, maxSessions: 0, recordSession: undefined }, localAddress: "", kill: () => undefined, terminal });
    command.run({ lastActive: 0, carried: 0, changed: () => undefined });
    const admin = {
      authorizeSession: (_caller: Caller, verb: string) => (person.verbs.has(verb) ? Promise.resolve() : Promise.reject(new GatehouseError("access_denied", `may not ${verb}`))),
      explainSession: (_caller: Caller, verb: string) => ({ allowed: person.verbs.has(verb), reasons: [] }),
    } as unknown as Admin;
    const callerOf = (): Caller => ({ type: "person", identity: { username: person.name } }) as unknown as Caller;
    app = await createApp({ bodyLimit: 64 * 1024, logger: nullLogger, random: systemRandom, routes: (fastify) => sessionRoutes(fastify, { admin, sessions, clock }, callerOf) });
    server = createServer(app.handler).listen(0, "127.0.0.1");
    await once(server, "listening");
    port = (server.address() as AddressInfo).port;
  });
  afterEach(async () => {
    server.closeAllConnections();
    server.close();
    await app.close();
  });
  const path = `/gatehouse/v1/sessions/${sid}/join`;
  async function join(mode: string): Promise<IncomingMessage> {
    const request = get({ port, path: `${path}?mode=${mode}&key=${key}`, agent: false }).on("error", () => undefined);
    const [response] = (await once(request, "response")) as [IncomingMessage];
    response.on("error", () => undefined).resume();
    return response;
  }
  async function type(seq: number, text: string): Promise<number> {
    const answer = await fetch(`http://127.0.0.1:${String(port)}${path}/${key}/input`, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ seq, data: Buffer.from(text).toString("base64") }) });
    await answer.text();
    return answer.status;
  }

  it("to type needs connect; what comes twice is typed once", async () => {
    person.verbs.delete("connect");
    expect((await join("peer")).statusCode).toBe(403);
    person.verbs.add("connect").delete("read");
    expect((await join("observer")).statusCode).toBe(403);
    expect((await join("peer")).statusCode).toBe(200);
    expect([await type(1, "ls"), await type(1, "ls"), await type(2, "\r")]).toEqual([204, 204, 204]);
    expect(typed).toEqual(["ls", "\r"]);
    expect([await type(3, "x".repeat(20_000)), (await join("peer")).statusCode]).toEqual([400, 400]);
  });

  it("lets nobody type who watches, is somebody else, has left, or may no longer", async () => {
    const observer = await join("observer");
    expect(await type(1, "a")).toBe(404);
    observer.destroy();
    const peer = await join("peer");
    person.name = "cy";
    expect(await type(1, "b")).toBe(404);
    person.name = "ana";
    person.verbs.delete("connect");
    expect(await type(1, "c")).toBe(403);
    await vi.waitFor(() => expect(peer.destroyed).toBe(true));
    person.verbs.add("connect");
    expect(await type(1, "d")).toBe(404);
    expect(typed).toEqual([]);
  });
});

describe("slots", () => {
  it("are so many in all and a person, and are given back once", () => {
    const slots = createSlots({ total: 3, each: 2, what: "followers" });
    const [first] = [slots.take("ana"), slots.take("ana")];
    expect(() => slots.take("ana")).toThrow("you have 2 followers already");
    slots.take("bo");
    expect(() => slots.take("cy")).toThrow("there are 3 followers on this gateway already");
    first();
    first();
    slots.take("cy");
    expect(() => slots.take("bo")).toThrow(expect.objectContaining({ code: "limit_exceeded" }) as Error);
  });
});

it("a reader that takes nothing is told late", async () => {
  const late = vi.fn();
  async function* source(): AsyncGenerator<string, void, void> {
    yield* ["a", "b"];
  }
  const pieces = inTime(source(), late, 20);
  await pieces.next();
  await new Promise((resolve) => setTimeout(resolve, 60));
  expect(late).toHaveBeenCalledOnce();
  await pieces.return();
});
