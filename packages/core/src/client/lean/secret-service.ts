import { connect, type Socket } from "node:net";
import { systemErrorCode } from "../../base/index.ts";
import { bus, busSocket, talkToBus } from "./dbus.ts";
import type { DbusCall } from "./dbus-message.ts";
import type { Environment } from "./home.ts";

/**
 * What the Secret Service of this session is like. `absent`: there is none to keep a secret in. `unknown`: reached by a transport that is not
 * looked at here. The rest is a service that exists.
 */
export type SecretServiceState = "ready" | "absent" | "locked" | "no-collection" | "hung" | "refused" | "unknown";

const name = "org.freedesktop.secrets";

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
  for await (const reply of talkToBus(socket, questions)) {
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
