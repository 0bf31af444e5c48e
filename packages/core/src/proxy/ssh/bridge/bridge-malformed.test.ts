import { once } from "node:events";
import { connect } from "node:net";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { SshWriter, encodeSshMessage, parseSshMessage } from "../../../formats/index.ts";
import type { SshMessage } from "../../../formats/index.ts";
import { connectTransport } from "../../../ssh/index.ts";
import type { Transport, TransportEnd } from "../../../ssh/index.ts";
import { requireTool } from "../../../testing/index.ts";
import { createBridgeWorld, until } from "./test-world.ts";
import type { BridgeWorld } from "./test-world.ts";

const available = requireTool("sshd", "apt-get install openssh-server, and have /usr/sbin on PATH");
const empty = Buffer.alloc(0);
const session = (sender: number): SshMessage => ({ type: "channel_open", kind: "session", sender, window: 65_536, maxPacket: 32_768, data: empty });
const text = (value: string): Buffer => new SshWriter().string(value).toBuffer();

/** A client that says what it wants. */
interface Client {
  readonly transport: Transport;
  readonly got: SshMessage[];
  readonly end: Promise<TransportEnd>;
  say(message: SshMessage): void;
}

describe.skipIf(!available)("a client that breaks the protocol", () => {
  let world: BridgeWorld;
  beforeAll(async () => {
    world = await createBridgeWorld();
  });
  afterAll(() => world.close());

  async function client(): Promise<Client> {
    const socket = connect(world.port, "127.0.0.1");
    await once(socket, "connect");
    const transport = await connectTransport({ socket, user: world.login, verifyHost: () => undefined, credentials: () => [{ method: "none" }] });
    const got: SshMessage[] = [];
    const end = new Promise<TransportEnd>((resolve) => transport.start({ onPayload: (payload) => got.push(parseSshMessage(payload)), onEnd: resolve }));
    return { transport, got, end, say: (message) => void transport.send(encodeSshMessage(message)) };
  }

  it.each<[string, readonly SshMessage[]]>([
    ["names a channel that is none", [{ type: "channel_data", channel: 99, data: text("x") }]],
    ["opens a channel twice", [session(1), session(1)]],
    ["answers what nobody asked", [{ type: "request_success", data: empty }]],
    ["confirms what nobody opens", [{ type: "channel_open_confirmation", channel: 0, sender: 0, window: 1, maxPacket: 1, data: empty }]],
  ])("is cut off when it %s, and told why", async (_what, messages) => {
    const { say, end } = await client();
    for (const message of messages) say(message);
    expect(await end).toMatchObject({ by: "peer", reason: 2, text: expect.stringContaining("the client broke the protocol") as unknown });
  });

  it("cannot have data pass where nothing runs", async () => {
    const { say, got, end } = await client();
    say(session(1));
    await until(() => got.some(({ type }) => type === "channel_open_confirmation"));
    say({ type: "channel_data", channel: 0, data: Buffer.from("early") });
    expect(await end).toMatchObject({ text: expect.stringContaining("in which nothing runs") as unknown });
  });

  it("has strange kinds of channels and requests refused, in order, and everything else goes on", async () => {
    const { say, got, transport } = await client();
    for (const kind of ["tun@openssh.com", "x11", "forwarded-tcpip", "auth-agent@openssh.com", "sessio"]) say({ ...session(5), kind } as SshMessage);
    say({ type: "global_request", name: "hostkeys-prove-00@openssh.com", wantReply: true, data: empty });
    say({ type: "global_request", name: "strange@example", wantReply: true, data: empty });
    say({ type: "global_request", name: "keepalive@openssh.com", wantReply: true, data: empty });
    say(session(6));
    await until(() => got.length >= 9, () => got);
    expect(got.filter(({ type }) => type === "channel_open_failure")).toHaveLength(5);
    const confirmed = got.find((message) => message.type === "channel_open_confirmation")!;
    say({ type: "channel_request", channel: confirmed.sender, name: "strange@example", wantReply: true, data: empty });
    say({ type: "channel_request", channel: confirmed.sender, name: "exec", wantReply: true, data: text("echo fine") });
    say({ type: "channel_request", channel: confirmed.sender, name: "exec", wantReply: true, data: text("echo again") });
    await until(() => got.some(({ type }) => type === "channel_close"), () => got);
    expect(got.filter(({ type }) => type === "channel_success" || type === "channel_failure").map(({ type }) => type)).toEqual(["channel_failure", "channel_success", "channel_failure"]);
    expect(Buffer.concat(got.flatMap((message) => (message.type === "channel_data" ? [message.data] : []))).toString()).toBe("fine\n");
    transport.destroy();
  });

  it("never brings the gateway down, whatever it says", async () => {
    const u32 = fc.integer({ min: 0, max: 3 });
    const bytes = fc.uint8Array({ maxLength: 40 }).map((data) => Buffer.from(data));
    const name = fc.constantFrom("exec", "shell", "subsystem", "pty-req", "env", "signal", "window-change", "x11-req", "tcpip-forward", "cancel-tcpip-forward", "keepalive@openssh.com", "?");
    const kind = fc.constantFrom("session", "direct-tcpip", "direct-streamlocal@openssh.com", "x11", "?");
    const message: fc.Arbitrary<SshMessage> = fc.oneof(
      fc.record({ type: fc.constant("global_request" as const), name, wantReply: fc.boolean(), data: bytes }),
      fc.record({ type: fc.constant("channel_open" as const), kind, sender: u32, window: u32, maxPacket: u32, data: bytes }),
      fc.record({ type: fc.constant("channel_data" as const), channel: u32, data: bytes }),
      fc.record({ type: fc.constant("channel_window_adjust" as const), channel: u32, bytes: u32 }),
      fc.record({ type: fc.constantFrom("channel_eof" as const, "channel_close" as const, "channel_success" as const), channel: u32 }),
      fc.record({ type: fc.constant("channel_request" as const), channel: u32, name, wantReply: fc.boolean(), data: fc.oneof(bytes, fc.constant(text("true"))) }),
    );
    for (const messages of fc.sample(fc.array(fc.oneof(message.map(encodeSshMessage), bytes.map((each) => Buffer.concat([Buffer.of(90 + (each.length % 11)), each]))), { minLength: 1, maxLength: 12 }), 40)) {
      const { transport, end } = await client();
      transport.send(encodeSshMessage(session(0)));
      for (const each of messages) transport.send(each);
      await Promise.race([end, new Promise((resolve) => setTimeout(resolve, 20))]);
      transport.destroy();
    }
    await until(() => world.sessions.list().length === 0, () => world.sessions.list());
    const { say, got, transport } = await client();
    say(session(1));
    await until(() => got.some(({ type }) => type === "channel_open_confirmation"));
    transport.destroy();
  });
});
