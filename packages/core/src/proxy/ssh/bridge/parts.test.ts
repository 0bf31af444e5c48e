import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { encodeSshMessage } from "../../../formats/index.ts";
import type { SshMessage } from "../../../formats/index.ts";
import { Channel, otherSide } from "./channel.ts";
import type { ChannelMessage, ChannelRequestMessage, Side } from "./channel.ts";
import { InputQueue } from "./input-queue.ts";
import { ReplyQueue } from "./reply-queue.ts";
import { whatRuns } from "./what-runs.ts";
import { WindowShare } from "./window-share.ts";

describe("the gateway's share of a window", () => {
  it("never lets both sides together send more than was granted, and never starves the other", () => {
    const steps = fc.array(fc.oneof(fc.record({ grant: fc.nat(200_000) }), fc.record({ use: fc.nat(10_000) })), { maxLength: 100 });
    fc.assert(
      fc.property(steps, (all) => {
        const share = new WindowShare(4096);
        let granted = 0;
        let passed = 0;
        let used = 0;
        for (const step of all) {
          if ("grant" in step) {
            granted += step.grant;
            passed += share.grant(step.grant);
          } else {
            used += share.use(step.use);
          }
          expect(passed + used + share.spare).toBeLessThanOrEqual(granted);
          expect(granted - passed).toBeLessThanOrEqual(4096 + used);
        }
      }),
    );
  });

  it("is none of a window that is none yet, and an eighth of a small one", () => {
    const share = new WindowShare(4096);
    expect(share.grant(0)).toBe(0);
    expect(share.grant(800)).toBe(700);
    expect(share.use(1000)).toBe(100);
    // What was used comes back out of what is granted next.
    expect(share.grant(60)).toBe(0);
    expect(share.grant(60)).toBe(20);
    expect(share.spare).toBe(100);
  });
});

describe("answers", () => {
  it("keep the order of the questions, whoever gives them", () => {
    const sent: string[] = [];
    const heard: boolean[] = [];
    const queue = new ReplyQueue((payload) => sent.push(payload.toString()));
    queue.answer(Buffer.from("own 1"));
    queue.asked((ok) => heard.push(ok));
    queue.answer(Buffer.from("own 2"));
    queue.asked();
    expect(sent).toEqual(["own 1"]);
    queue.reply(Buffer.from("theirs 1"), false);
    queue.reply(Buffer.from("theirs 2"), true);
    expect(sent).toEqual(["own 1", "theirs 1", "own 2", "theirs 2"]);
    expect(heard).toEqual([false]);
    expect(() => queue.reply(Buffer.from("more"), true)).toThrow(expect.objectContaining({ code: "bad_parameter" }));
  });

  it("are bounded", () => {
    const queue = new ReplyQueue(() => undefined);
    for (let index = 0; index < 1024; index++) queue.asked();
    expect(() => queue.asked()).toThrow(expect.objectContaining({ code: "limit_exceeded" }));
  });
});

describe("what participants type", () => {
  it("goes in order, as far as there is room, and is lost with the session", async () => {
    let room = 3;
    const sent: string[] = [];
    const queue = new InputQueue((bytes) => {
      const taken = Math.min(room, bytes.length);
      room -= taken;
      if (taken > 0) sent.push(bytes.subarray(0, taken).toString());
      return taken;
    });
    const first = queue.add(Buffer.from("abcd"));
    const second = queue.add(Buffer.from("ef"));
    expect(sent).toEqual(["abc"]);
    room = 2;
    queue.flow();
    await first;
    expect(sent).toEqual(["abc", "d", "e"]);
    await expect(queue.add(Buffer.alloc(65_536))).rejects.toMatchObject({ code: "limit_exceeded" });
    queue.close();
    await expect(second).rejects.toMatchObject({ code: "not_found" });
    await expect(queue.add(Buffer.from("g"))).rejects.toMatchObject({ code: "not_found" });
  });
});

describe("what a request starts", () => {
  it.each([
    [{ kind: "shell" }, undefined, false, "shell", undefined],
    [{ kind: "exec", command: "ls" }, undefined, false, "exec", undefined],
    [{ kind: "exec", command: "scp -t /x" }, undefined, false, "scp", "scp"],
    [{ kind: "exec", command: "scp -t /x" }, undefined, true, "exec", undefined],
    [{ kind: "exec", command: "/usr/lib/openssh/sftp-server -l INFO" }, undefined, false, "sftp", "sftp"],
    [{ kind: "exec", command: "/usr/lib/openssh/sftp-server; sh" }, undefined, false, "exec", undefined],
    [{ kind: "subsystem", name: "sftp" }, undefined, false, "sftp", "sftp"],
    [{ kind: "subsystem", name: "sftp" }, undefined, true, "subsystem", undefined],
    [{ kind: "subsystem", name: "netconf" }, undefined, false, "subsystem", undefined],
    [{ kind: "subsystem", name: "sftp" }, "/bin/menu", false, "exec", undefined],
    [{ kind: "shell" }, "internal-sftp", false, "sftp", "sftp"],
  ] as const)("%j, forced %j, terminal %j: %s", (request, forced, terminal, kind, protocol) => {
    const what = whatRuns(request, forced, terminal);
    expect(what.kind).toBe(kind);
    expect(what.files?.protocol).toBe(protocol);
  });
});

/** A channel that lets everything pass, and what it sent. */
class TestChannel extends Channel {
  readonly sent: string[];
  readonly free: string[];

  constructor(sent: string[] = [], free: string[] = []) {
    super(
      { send: (to, payload) => void sent.push(`${to} ${payload[0]!}`), active: () => undefined, released: (side, number) => void free.push(`${side} ${number}`) },
      "client",
      { type: "channel_open", kind: "session", sender: 7, window: 10, maxPacket: 100, data: Buffer.alloc(0) },
    );
    this.sent = sent;
    this.free = free;
    this.confirm({ type: "channel_open_confirmation", channel: 7, sender: 9, window: 10, maxPacket: 100, data: Buffer.alloc(0) });
    sent.length = 0;
  }

  say(from: Side, message: SshMessage): void {
    this.take(from, message as ChannelMessage, encodeSshMessage(message));
  }

  protected ended(): void {
    return;
  }

  protected data(): boolean {
    return true;
  }

  protected request(from: Side, message: ChannelRequestMessage, payload: Buffer): void {
    this.pass(from, message, payload);
  }

  protected closed(): void {
    return;
  }

  protected granted(): void {
    return;
  }
}

describe("a channel", () => {
  it.each(["client", "host"] as const)("is over when both have closed it, first the %s", (first) => {
    const channel = new TestChannel();
    channel.say(first, { type: "channel_eof", channel: 0 });
    channel.say(otherSide(first), { type: "channel_data", channel: 0, data: Buffer.from("x") });
    channel.say(first, { type: "channel_close", channel: 0 });
    // It crosses the close: the host waits for nothing more, a client still hears how its command ended.
    channel.say(otherSide(first), { type: "channel_data", channel: 0, data: Buffer.from("late") });
    const late = first === "client" ? ["client 94"] : [];
    expect(channel.isReleased).toBe(false);
    channel.say(otherSide(first), { type: "channel_close", channel: 0 });
    expect(channel.isReleased).toBe(true);
    expect(channel.sent).toEqual([`${otherSide(first)} 96`, `${first} 94`, `${otherSide(first)} 97`, ...late, `${first} 97`]);
    expect(channel.free.sort()).toEqual(["client 7", "host 9"]);
  });

  it("that the gateway closes is closed to both, and takes their last words", () => {
    const channel = new TestChannel();
    channel.cut();
    expect(channel.sent).toEqual(["client 97", "host 97"]);
    channel.say("host", { type: "channel_data", channel: 0, data: Buffer.from("late") });
    channel.say("client", { type: "channel_close", channel: 0 });
    channel.say("host", { type: "channel_close", channel: 0 });
    expect(channel.sent).toEqual(["client 97", "host 97"]);
    expect(channel.free).toEqual(["client 7", "host 9"]);
    expect(() => channel.say("host", { type: "channel_eof", channel: 0 })).toThrow(expect.objectContaining({ code: "bad_parameter" }));
  });
});
