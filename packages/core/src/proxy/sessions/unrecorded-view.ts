import type { LiveSession, PortStart, SessionStream } from "./types.ts";

/** A session whose bytes nobody looks into, as administrators see it. `started`: ms since the epoch. */
export function unrecordedView(kind: LiveSession["kind"], { sid, user, place, address }: Pick<PortStart, "sid" | "user" | "place" | "address">, started: number, { lastActive, carried }: SessionStream): LiveSession {
  return { ...place, sid, kind, user, participants: [user], command: [], tty: false, address, started, lastActive, bytes: carried, recording: undefined };
}
