import { access } from "node:fs/promises";
import type { Socket } from "node:net";
import { join } from "node:path";
import { decodeMessage, encodeCall, type DbusCall, type DbusReply } from "./dbus-message.ts";
import type { Environment } from "./home.ts";

/** Where the bus itself answers. */
export const bus = { destination: "org.freedesktop.DBus", path: "/org/freedesktop/DBus", interface: "org.freedesktop.DBus" };
const maxAddress = 4096;

/** Socket path of the session bus; `undefined` for a transport other than Unix sockets, `none` where there is no session bus. */
export async function busSocket(env: Environment): Promise<string | undefined> {
  const address = env["DBUS_SESSION_BUS_ADDRESS"];
  if (address === undefined || address === "") {
    const runtime = env["XDG_RUNTIME_DIR"];
    if (runtime === undefined || runtime === "") return "none";
    const path = join(runtime, "bus");
    return access(path).then(() => path, () => "none");
  }
  const match = /(?:^|;)unix:(?:[^;]*,)?(path|abstract)=([^,;]+)/.exec(address.slice(0, maxAddress));
  if (!match?.[2]) return undefined;
  let path: string;
  try {
    path = decodeURIComponent(match[2]);
  } catch {
    return undefined;
  }
  return match[1] === "abstract" ? `\0${path}` : path;
}

/** Says who we are (SASL EXTERNAL), then asks one question after another. */
export async function* talkToBus(socket: Socket, calls: readonly DbusCall[]): AsyncGenerator<DbusReply> {
  const uid = Buffer.from(String(process.getuid?.() ?? 0)).toString("hex");
  socket.write(`\0AUTH EXTERNAL ${uid}\r\n`);
  let buffer: Buffer = Buffer.alloc(0);
  let open = false;
  const pending = [...calls];
  for await (const chunk of socket as AsyncIterable<Buffer>) {
    buffer = Buffer.concat([buffer, chunk]);
    if (!open) {
      const end = buffer.indexOf("\r\n");
      if (end < 0 && buffer.length < 1024) continue;
      if (!buffer.subarray(0, Math.max(end, 0)).toString("latin1").startsWith("OK ")) throw new RangeError("the session bus refused this user");
      buffer = buffer.subarray(end + 2);
      open = true;
      const first = pending.shift();
      if (first) socket.write(Buffer.concat([Buffer.from("BEGIN\r\n"), encodeCall({ ...bus, serial: 1, member: "Hello" }), encodeCall(first)]));
    }
    for (let message = decodeMessage(buffer); message; message = decodeMessage(buffer)) {
      buffer = message.rest;
      if (!message.reply || message.reply.replyTo === 1) continue;
      yield message.reply;
      const next = pending.shift();
      if (!next) return;
      socket.write(encodeCall(next));
    }
  }
}
