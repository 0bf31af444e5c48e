import { access } from "node:fs/promises";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { systemErrorCode } from "../../base/index.ts";
import { decodeMessage, encodeCall, type DbusCall, type DbusReply } from "./dbus-message.ts";
import type { Environment } from "./home.ts";

/**
 * What the Secret Service of this session is like. `absent`: there is none to keep a secret in. `unknown`: reached by a transport that is not
 * looked at here. The rest is a service that exists.
 */
export type SecretServiceState = "ready" | "absent" | "locked" | "no-collection" | "hung" | "refused" | "unknown";

const name = "org.freedesktop.secrets";
const bus = { destination: "org.freedesktop.DBus", path: "/org/freedesktop/DBus", interface: "org.freedesktop.DBus" };
const maxAddress = 4096;

/** Socket path of the session bus; `undefined` for a transport other than Unix sockets, `none` where there is no session bus. */
async function busSocket(env: Environment): Promise<string | undefined> {
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
async function* talk(socket: Socket, calls: readonly DbusCall[]): AsyncGenerator<DbusReply> {
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

const questions: readonly DbusCall[] = [
  { ...bus, serial: 2, member: "StartServiceByName", strings: [name], number: 0 },
  {
    serial: 3,
    destination: name,
    path: "/org/freedesktop/secrets/aliases/default",
    interface: "org.freedesktop.DBus.Properties",
    member: "Get",
    strings: ["org.freedesktop.Secret.Collection", "Locked"],
  },
];

async function ask(socket: Socket): Promise<SecretServiceState> {
  for await (const reply of talk(socket, questions)) {
    if (reply.replyTo === 2) {
      if (reply.error === "org.freedesktop.DBus.Error.ServiceUnknown") return "absent";
      if (reply.error !== undefined) return "refused";
    } else {
      if (reply.error !== undefined) return "no-collection";
      // A variant that holds one boolean: signature (1, "b", 0), padding to 4, the value.
      return reply.body.length >= 8 && reply.body.readUInt32LE(4) === 1 ? "locked" : "ready";
    }
  }
  return "refused";
}

/**
 * Looks whether the session's Secret Service exists, answers and is unlocked, within `limit` ms. The native keychain binding blocks the whole
 * process while it talks to the service, for ever if that hangs; and it cannot tell a service that is absent from one that is locked.
 */
export async function secretServiceState(env: Environment, limit: number): Promise<SecretServiceState> {
  const path = await busSocket(env);
  if (path === undefined) return "unknown";
  if (path === "none") return "absent";
  const socket = connect(path);
  let timer: NodeJS.Timeout | undefined;
  try {
    const late = new Promise<"hung">((resolve) => (timer = setTimeout(() => resolve("hung"), limit)));
    const answer = ask(socket).catch((error: unknown): SecretServiceState => {
      const code = systemErrorCode(error);
      return code === "ENOENT" || code === "ECONNREFUSED" ? "absent" : "refused";
    });
    return await Promise.race([answer, late]);
  } finally {
    clearTimeout(timer);
    socket.destroy();
  }
}
