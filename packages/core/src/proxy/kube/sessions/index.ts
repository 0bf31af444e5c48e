/** Streams as auditors see them: sessions that are recorded, port-forwards, and two attempts that are one. */
export { Attempts } from "./attempts.ts";
export { openSession } from "./sessions.ts";
export type { KubeSessionContext } from "./sessions.ts";
export type { StreamSession } from "./types.ts";
