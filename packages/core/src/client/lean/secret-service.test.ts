import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { decodeMessage, encodeCall } from "./dbus-message.ts";
import { secretServiceState } from "./secret-service.ts";

let folder: string;
let server: Server | undefined;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "gatehouse-bus-"));
});
afterEach(async () => {
  server?.close();
  server = undefined;
  await rm(folder, { recursive: true, force: true });
});

/** A message of a bus: method return (2) or error (3), with REPLY_SERIAL and an error name. */
function message(type: 2 | 3 | 4, replyTo: number, body: Buffer, error?: string): Buffer {
  const field = (code: number, signature: string, value: Buffer): Buffer => Buffer.concat([Buffer.from([code, 1, signature.charCodeAt(0), 0]), value]);
  const pad = (bytes: Buffer, to: number): Buffer => Buffer.concat([bytes, Buffer.alloc((to - (bytes.length % to)) % to)]);
  const u32 = (value: number): Buffer => {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32LE(value);
    return bytes;
  };
  let fields = field(5, "u", u32(replyTo));
  if (error !== undefined) fields = Buffer.concat([pad(fields, 8), field(4, "s", Buffer.concat([u32(error.length), Buffer.from(`${error}\0`)]))]);
  return Buffer.concat([pad(Buffer.concat([Buffer.from([0x6c, type, 0, 1]), u32(body.length), u32(7), u32(fields.length), fields]), 8), body]);
}

const variant = (locked: boolean): Buffer => Buffer.from([1, 0x62, 0, 0, locked ? 1 : 0, 0, 0, 0]);

/** A bus that answers the service's start and the question whether it is locked with these bytes; undefined says nothing at all. */
async function bus(start: Buffer | undefined, locked: Buffer | undefined, options: { readonly auth?: string; readonly oneByteAtATime?: boolean } = {}): Promise<Record<string, string>> {
  const path = join(folder, "bus");
  const send = (socket: Socket, bytes: Buffer): void => {
    if (options.oneByteAtATime !== true) socket.write(bytes);
    else for (const byte of bytes) socket.write(Buffer.from([byte]));
  };
  server = createServer((socket) => {
    socket.setNoDelay(true);
    let text = Buffer.alloc(0);
    let state = 0;
    socket.on("error", () => undefined);
    socket.on("data", (chunk) => {
      text = Buffer.concat([text, chunk]);
      if (state === 0 && text.includes("\r\n")) {
        state = 1;
        send(socket, Buffer.from(options.auth ?? "OK 0123456789abcdef\r\n"));
      }
      if (state === 1 && text.includes("StartServiceByName")) {
        state = 2;
        // A signal that nobody asked for comes between.
        send(socket, Buffer.concat([message(2, 1, Buffer.alloc(0)), message(4, 0, Buffer.alloc(0))]));
        if (start) send(socket, start);
      }
      if (state === 2 && text.includes("Locked")) {
        state = 3;
        if (locked) send(socket, locked);
      }
    });
  });
  await new Promise<void>((resolve) => server?.listen(path, resolve));
  return { DBUS_SESSION_BUS_ADDRESS: `unix:path=${path},guid=0123` };
}

const started = message(2, 2, Buffer.from([1, 0, 0, 0]));

describe("the Secret Service", () => {
  it.each([
    ["ready", started, message(2, 3, variant(false))],
    ["locked", started, message(2, 3, variant(true))],
    ["no-collection", started, message(3, 3, Buffer.alloc(0), "org.freedesktop.DBus.Error.UnknownObject")],
    ["absent", message(3, 2, Buffer.alloc(0), "org.freedesktop.DBus.Error.ServiceUnknown"), undefined],
    ["refused", message(3, 2, Buffer.alloc(0), "org.freedesktop.DBus.Error.AccessDenied"), undefined],
    ["hung", undefined, undefined],
    ["hung", started, undefined],
    ["refused", Buffer.from("garbage that is no message at all"), undefined],
  ])("is seen to be %s", async (state, start, locked) => {
    expect(await secretServiceState(await bus(start, locked), 300)).toBe(state);
  });

  it("is seen however the bus's bytes are cut", async () => {
    expect(await secretServiceState(await bus(started, message(2, 3, variant(true)), { oneByteAtATime: true }), 3000)).toBe("locked");
  });

  it("is refused where the bus does not take this user", async () => {
    expect(await secretServiceState(await bus(started, undefined, { auth: "REJECTED EXTERNAL\r\n" }), 300)).toBe("refused");
  });

  it("is absent without a session bus, and unknown behind a transport that is not looked at", async () => {
    expect(await secretServiceState({}, 300)).toBe("absent");
    expect(await secretServiceState({ XDG_RUNTIME_DIR: folder }, 300)).toBe("absent");
    expect(await secretServiceState({ DBUS_SESSION_BUS_ADDRESS: `unix:path=${folder}/none` }, 300)).toBe("absent");
    expect(await secretServiceState({ DBUS_SESSION_BUS_ADDRESS: "tcp:host=localhost,port=1" }, 300)).toBe("unknown");
  });
});

describe("D-Bus messages", () => {
  it("are laid out as the specification says", () => {
    const call = encodeCall({ serial: 2, destination: "org.freedesktop.DBus", path: "/org/freedesktop/DBus", interface: "org.freedesktop.DBus", member: "Hello" });
    expect(call.length % 8).toBe(0);
    expect(call.subarray(0, 4)).toEqual(Buffer.from([0x6c, 1, 0, 1]));
    const decoded = decodeMessage(message(2, 9, Buffer.from("body")));
    expect(decoded?.reply).toMatchObject({ replyTo: 9, error: undefined, body: Buffer.from("body") });
  });

  it("of any bytes are read, waited for, or refused with RangeError", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.boolean(), (bytes, prefix) => {
        const input = Buffer.concat([prefix ? Buffer.from([0x6c, 2, 0, 1, 0, 0, 0, 0]) : Buffer.alloc(0), bytes]);
        try {
          decodeMessage(input);
        } catch (error) {
          expect(error).toBeInstanceOf(RangeError);
        }
      }),
      { numRuns: 2000 },
    );
  });
});
