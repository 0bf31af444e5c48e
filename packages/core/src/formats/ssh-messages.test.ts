import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { encodeSshMessage, parseSshMessage } from "./ssh-messages.ts";
import type { SshMessage } from "./ssh-messages.ts";
import { encodeExitStatus, parseChannelRequest, parseForward, parseListen } from "./ssh-requests.ts";
import { SshWriter } from "./ssh-wire.ts";

const u32 = fc.integer({ min: 0, max: 0xffffffff });
const bytes = fc.uint8Array({ maxLength: 300 }).map((data) => Buffer.from(data));
const name = fc.string({ maxLength: 60 });

const messages: fc.Arbitrary<SshMessage> = fc.oneof(
  fc.record({ type: fc.constant("global_request" as const), name, wantReply: fc.boolean(), data: bytes }),
  fc.record({ type: fc.constant("request_success" as const), data: bytes }),
  fc.constant({ type: "request_failure" as const }),
  fc.record({ type: fc.constant("channel_open" as const), kind: name, sender: u32, window: u32, maxPacket: u32, data: bytes }),
  fc.record({ type: fc.constant("channel_open_confirmation" as const), channel: u32, sender: u32, window: u32, maxPacket: u32, data: bytes }),
  fc.record({ type: fc.constant("channel_open_failure" as const), channel: u32, reason: u32, text: name }),
  fc.record({ type: fc.constant("channel_window_adjust" as const), channel: u32, bytes: u32 }),
  fc.record({ type: fc.constant("channel_data" as const), channel: u32, data: bytes }),
  fc.record({ type: fc.constant("channel_extended_data" as const), channel: u32, code: u32, data: bytes }),
  fc.record({ type: fc.constantFrom("channel_eof" as const, "channel_close" as const, "channel_success" as const, "channel_failure" as const), channel: u32 }),
  fc.record({ type: fc.constant("channel_request" as const), channel: u32, name, wantReply: fc.boolean(), data: bytes }),
);

const malformed: unknown = expect.objectContaining({ code: "bad_parameter" });

describe("messages of the SSH connection protocol", () => {
  it("are read as they were written", () => {
    fc.assert(
      fc.property(messages, (message) => {
        expect(parseSshMessage(encodeSshMessage(message))).toEqual(message);
      }),
    );
  });

  it("are refused when cut off anywhere in a field, and when bytes follow", () => {
    const data: SshMessage = { type: "channel_data", channel: 7, data: Buffer.from("hello") };
    const encoded = encodeSshMessage(data);
    for (let end = 0; end < encoded.length; end++) expect(() => parseSshMessage(encoded.subarray(0, end))).toThrow(malformed);
    expect(() => parseSshMessage(Buffer.concat([encoded, Buffer.of(0)]))).toThrow(malformed);
  });

  it("are refused, never misread, where they are random bytes", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (random) => {
        try {
          parseSshMessage(random);
        } catch (error) {
          expect(error).toEqual(malformed);
        }
      }),
    );
  });

  it("have names of at most 256 bytes", () => {
    const open = (kind: string): Buffer => encodeSshMessage({ type: "channel_open", kind, sender: 1, window: 2, maxPacket: 3, data: Buffer.alloc(0) });
    expect(parseSshMessage(open("x".repeat(256)))).toMatchObject({ type: "channel_open" });
    expect(() => parseSshMessage(open("x".repeat(257)))).toThrow(malformed);
  });
});

describe("requests on SSH channels", () => {
  it("are read by their names", () => {
    const pty = new SshWriter().string("xterm").uint32(80).uint32(24).uint32(0).uint32(0).string(Buffer.of(0)).toBuffer();
    expect(parseChannelRequest("pty-req", pty)).toEqual({ kind: "pty", term: "xterm", columns: 80, rows: 24 });
    expect(parseChannelRequest("exec", new SshWriter().string("ls -l").toBuffer())).toEqual({ kind: "exec", command: "ls -l" });
    expect(parseChannelRequest("exit-status", encodeExitStatus(42))).toEqual({ kind: "exit_status", status: 42 });
    const signal = new SshWriter().string("KILL").boolean(true).string("gone").string("").toBuffer();
    expect(parseChannelRequest("exit-signal", signal)).toEqual({ kind: "exit_signal", name: "KILL", coreDumped: true, message: "gone" });
    expect(parseChannelRequest("eow@openssh.com", Buffer.alloc(0))).toEqual({ kind: "other" });
    expect(() => parseChannelRequest("shell", Buffer.of(1))).toThrow(malformed);
    expect(() => parseChannelRequest("exec", Buffer.of(0, 0, 0, 9, 1))).toThrow(malformed);
  });

  it("and what forwards and listens say", () => {
    const tcp = new SshWriter().string("db").uint32(5432).string("127.0.0.1").uint32(999).toBuffer();
    expect(parseForward("direct-tcpip", tcp)).toEqual({ kind: "tcp", host: "db", port: 5432, originHost: "127.0.0.1", originPort: 999 });
    expect(parseForward("direct-streamlocal@openssh.com", new SshWriter().string("/run/x").string("").uint32(0).toBuffer())).toEqual({ kind: "socket", path: "/run/x" });
    expect(parseForward("session", Buffer.alloc(0))).toBeUndefined();
    expect(() => parseForward("direct-tcpip", tcp.subarray(0, 9))).toThrow(malformed);
    expect(parseListen("tcpip-forward", new SshWriter().string("").uint32(80).toBuffer())).toEqual({ address: ":80" });
    expect(parseListen("keepalive@openssh.com", Buffer.alloc(0))).toBeUndefined();
  });
});
