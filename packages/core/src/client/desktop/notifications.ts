import { GatehouseError } from "../../base/index.ts";
import { busSocket, talkToBus } from "../lean/dbus.ts";
import { notifyBody } from "../lean/dbus-message.ts";
import type { Environment } from "../lean/index.ts";

/** ms that the bus and the desktop may take. */
const limit = 5000;
/** The body of a note is markup where the desktop shows any. */
const markup = (text: string): string => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");

const call = { serial: 2, destination: "org.freedesktop.Notifications", path: "/org/freedesktop/Notifications", interface: "org.freedesktop.Notifications", member: "Notify" };

/** Shows a note on the desktop of this session (`org.freedesktop.Notifications`). Throws `internal` where there is nobody on the bus who does. */
export async function notifyOverBus(env: Environment, note: { readonly title: string; readonly body: string }): Promise<void> {
  const path = await busSocket(env);
  if (path === undefined || path === "none") throw new GatehouseError("internal", "there is no session bus that can be reached");
  const { connect } = await import("node:net");
  const socket = connect(path);
  socket.setTimeout(limit, () => socket.destroy(new GatehouseError("internal", `the desktop did not answer within ${limit / 1000} s`)));
  try {
    for await (const { error } of talkToBus(socket, [{ ...call, made: notifyBody({ app: "Gatehouse", title: note.title, body: markup(note.body) }) }])) {
      if (error !== undefined) throw new GatehouseError("internal", `the desktop shows no notes (${error})`);
      return;
    }
    throw new GatehouseError("internal", "the session bus broke off");
  } finally {
    socket.destroy();
  }
}
