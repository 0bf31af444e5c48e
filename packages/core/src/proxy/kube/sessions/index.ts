/** Streams as auditors see them: sessions that are recorded, port-forwards, and two attempts that are one. */
export { Attempts } from "./attempts.ts";
export { Sessions } from "./sessions.ts";
export type { LiveSession, LiveSessions, RecordingDefault, SessionStream, SessionWatch, StreamSession } from "./types.ts";
