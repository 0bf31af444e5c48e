import { once } from "node:events";
import { createServer, get, type ClientRequest, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { Readable } from "node:stream";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { AuditEventInput, RecordingLibrary } from "../../audit/index.ts";
import type { Admin, Caller } from "../../auth/index.ts";
import type { KubeSession } from "../../formats/index.ts";
import { manualClock, nullLogger, systemRandom } from "../../base/index.ts";
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
    await vi.waitFor(() => expect(closed).toBe(true), { timeout: 3000 });
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
