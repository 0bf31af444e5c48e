import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { buildRoleSet } from "../../../access/index.ts";
import type { AuditEventInput } from "../../../audit/index.ts";
import { nullLogger, systemClock, systemRandom } from "../../../base/index.ts";
import { encodeSshMessage, parseSshMessage, SshWriter } from "../../../formats/index.ts";
import type { SshMessage } from "../../../formats/index.ts";
import type { Transport, TransportHandlers } from "../../../ssh/index.ts";
import { Recorder, Registry, Sessions } from "../../sessions/index.ts";
import type { Ending } from "../../sessions/index.ts";
import { testRecordings } from "../../sessions/test-recordings.ts";
import { Relay } from "./relay.ts";
import { until } from "./test-world.ts";
import type { LoginGrant, RecordedConnection, SshLive } from "./types.ts";

/** One side, played by the test. */
class Played {
  readonly heard: SshMessage[] = [];
  #handlers: TransportHandlers | undefined;
  readonly transport = {
    start: (handlers: TransportHandlers) => (this.#handlers = handlers),
    send: (payload: Uint8Array) => this.heard.push(parseSshMessage(payload)) > 0,
    pause: () => undefined,
    resume: () => undefined,
    ping: () => Promise.resolve(),
    disconnect: (_reason: number, text: string) => (this.ended ??= text),
    destroy: () => (this.ended ??= ""),
  } as unknown as Transport;
  ended: string | undefined;

  say(message: SshMessage): void {
    this.#handlers?.onPayload(encodeSshMessage(message));
  }
}

describe("a recorded connection whose sides break the rules", () => {
  let client: Played;
  let host: Played;
  let registry: Registry<Ending, SshLive>;
  let sessions: Sessions;
  let recordings: ReturnType<typeof testRecordings>;
  let over: Promise<void>;
  const events: AuditEventInput[] = [];

  beforeEach(() => {
    [client, host] = [new Played(), new Played()];
    recordings = testRecordings();
    const recorder = new Recorder({ emit: (event) => Promise.resolve(void events.push(event)), close: () => Promise.resolve() }, nullLogger);
    sessions = new Sessions({ recorder, clock: systemClock, logger: nullLogger, serverId: "gateway-1", recordings, recording: "strict" });
    registry = new Registry<Ending, SshLive>({ gatekeeper: { generation: 1, onChange: () => () => undefined }, clock: systemClock, lost: () => undefined });
    const roles = buildRoleSet([], {});
    const connection = {
      id: "c", person: { username: "ana", loginSession: "s", remoteAddress: "192.0.2.7:5000", localAddress: "192.0.2.1:3023" },
      host: { node: { id: "node-1", hostname: "web-1", addr: { host: "127.0.0.1", port: 22 }, labels: {} } },
    } as unknown as RecordedConnection;
    const grant: LoginGrant = {
      login: "ana", identity: { username: "ana", subjectId: "1", sessionId: "s", traits: {}, roles, expires: Infinity }, options: { ...roles.options(), portForwarding: true },
      mint: () => Promise.reject(new Error("not here")), lost: () => undefined,
    };
    over = Relay.run({ sessions, recorder, registry, clock: systemClock, logger: nullLogger, random: systemRandom }, connection, grant, { client: client.transport, host: host.transport });
  });
  afterEach(async () => {
    await over;
    registry.close();
    await sessions.close("over");
  });

  const nothing = Buffer.alloc(0);
  const text = (value: string): Buffer => new SshWriter().string(value).toBuffer();

  it("takes no word of a host on a channel that it has not taken", () => {
    client.say({ type: "channel_open", kind: "direct-tcpip", sender: 7, window: 1000, maxPacket: 1000, data: new SshWriter().string("db").uint32(5432).string("").uint32(0).toBuffer() });
    host.say({ type: "channel_data", channel: 7, data: Buffer.from("early") });
    expect(client.heard).toEqual([]);
    expect(client.ended).toContain("has not taken yet");
  });

  it("records nothing of the client as what the host said", async () => {
    client.say({ type: "channel_open", kind: "session", sender: 0, window: 100_000, maxPacket: 1000, data: nothing });
    host.say({ type: "channel_open_confirmation", channel: 0, sender: 5, window: 100_000, maxPacket: 1000, data: nothing });
    client.say({ type: "channel_request", channel: 5, name: "exec", wantReply: true, data: text("id") });
    await until(() => host.heard.some(({ type }) => type === "channel_request"));
    client.say({ type: "channel_extended_data", channel: 5, code: 1, data: Buffer.from("uid=0(root)") });
    expect(host.heard.map(({ type }) => type)).not.toContain("channel_extended_data");
    expect(client.ended).toContain("only hosts send");
    await until(() => sessions.list().length === 0);
    expect(JSON.stringify(recordings.opened)).not.toContain("uid=0");
  });

  it("tells a client that has closed first how its command ended: some close at the end of its output", async () => {
    client.say({ type: "channel_open", kind: "session", sender: 0, window: 100_000, maxPacket: 1000, data: nothing });
    host.say({ type: "channel_open_confirmation", channel: 0, sender: 5, window: 100_000, maxPacket: 1000, data: nothing });
    client.say({ type: "channel_request", channel: 5, name: "exec", wantReply: true, data: text("id") });
    await until(() => host.heard.some(({ type }) => type === "channel_request"));
    host.say({ type: "channel_success", channel: 0 });
    host.say({ type: "channel_eof", channel: 0 });
    client.say({ type: "channel_close", channel: 5 });
    host.say({ type: "channel_request", channel: 0, name: "exit-status", wantReply: false, data: Buffer.from([0, 0, 0, 42]) });
    host.say({ type: "channel_close", channel: 0 });
    expect(client.heard.slice(-2)).toMatchObject([{ type: "channel_request", name: "exit-status" }, { type: "channel_close" }]);
    await until(() => events.some(({ event, exit_code: code }) => event === "session.end" && code === 42));
    client.say({ type: "channel_close", channel: 9 });
  });
});
