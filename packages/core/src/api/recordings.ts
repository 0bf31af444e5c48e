import { z } from "zod";
import { sshSessionKinds } from "../formats/index.ts";
import { sessionSubject } from "./sessions.ts";

/** Shapes of `/gatehouse/v1/recordings…`: the recordings of ended sessions. */

const text = z.string().min(1).max(1024);

/** Kinds of session that are recorded. */
export const recordingKinds = ["exec", "attach", ...sshSessionKinds.filter((kind) => kind !== "exec")] as const;
const recordingKind = z.enum(recordingKinds);
export type RecordingKind = z.infer<typeof recordingKind>;

/** Most recordings in one answer. */
export const maxRecordings = 1000;

/** Query of `GET /gatehouse/v1/recordings`. */
export const recordingsRequest = z.strictObject({
  /** Beginning of the session id. */
  id: z.string().regex(/^[0-9a-f-]{1,36}$/, "must be the beginning of a session id").optional(),
  user: text.optional(),
  cluster: text.optional(),
  pod: text.optional(),
  /** Name or id of a host. */
  node: text.optional(),
  login: text.optional(),
  kind: recordingKind.optional(),
  /** ms since the epoch: sessions that started then or later. */
  since: z.coerce.number().int().nonnegative().optional(),
  limit: z.coerce.number().int().min(1).max(maxRecordings).default(100),
});
export type RecordingsRequest = z.input<typeof recordingsRequest>;

/** One recording of an ended session. Times in ms; `started` since the epoch. */
export const recordingItem = z.object({
  ...sessionSubject,
  /** `unknown`: its header cannot be read, and nothing but its id, place and age is known. */
  kind: z.enum([...recordingKinds, "unknown"]),
  roles: z.array(z.string()),
  image: z.string().optional(),
  server_id: z.string(),
  duration: z.number(),
  bytes: z.number(),
  /** It has its end. */
  complete: z.boolean(),
  /** The gateway died during the session. */
  interrupted: z.boolean(),
  reason: z.string().optional(),
  exit_code: z.number().optional(),
  /** Name of the signal that ended the command, without SIG. */
  exit_signal: z.string().optional(),
  /** Everybody who took part, the opener first; told where there are several. */
  participants: z.array(z.string()).optional(),
  /** What is wrong with it, in words, where that shows in a list; checksums are checked as it is read. */
  damaged: z.string().optional(),
});
export type RecordingItem = z.infer<typeof recordingItem>;

/** `GET /gatehouse/v1/recordings`: the latest first. */
export const recordingsResponse = z.object({ items: z.array(recordingItem) });
export type RecordingsResponse = z.infer<typeof recordingsResponse>;
