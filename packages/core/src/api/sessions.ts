import { z } from "zod";
import { escapeLine } from "../base/index.ts";
import { sshSessionKinds } from "../formats/index.ts";

/** Shapes of `/gatehouse/v1/sessions…`: the sessions under way on this gateway. */

/** Of a session; gateways before there was SSH do not say it. */
export const sessionProtocol = z.enum(["kube", "ssh"]).default("kube");

/** What is told of every session, live or recorded: whose it is and where it leads. `started` in ms since the epoch. */
export const sessionSubject = {
  sid: z.string(),
  proto: sessionProtocol,
  user: z.string(),
  /** What does not apply to the protocol is empty. */
  cluster: z.string(),
  namespace: z.string(),
  pod: z.string(),
  container: z.string(),
  login: z.string().default(""),
  node: z.string().default(""),
  node_id: z.string().default(""),
  command: z.array(z.string()),
  tty: z.boolean(),
  address: z.string(),
  started: z.number(),
} as const;

/** One live session. Times in ms since the epoch. */
export const sessionItem = z.object({
  ...sessionSubject,
  kind: z.enum(["exec", "attach", "portforward", "tunnel", ...sshSessionKinds]),
  /** Everybody who took part, the opener first. */
  participants: z.array(z.string()).default([]),
  last_active: z.number(),
  /** The gateway's clock, to tell how long it has been idle. */
  now: z.number(),
  /** Bytes of payload that passed, either way. */
  bytes: z.number(),
  /** Bytes of its recording so far; absent for a session that is not recorded. */
  recording: z.number().optional(),
});
export type SessionItem = z.infer<typeof sessionItem>;

/** `GET /gatehouse/v1/sessions`: the latest first. */
export const sessionsResponse = z.object({ items: z.array(sessionItem) });
export type SessionsResponse = z.infer<typeof sessionsResponse>;

/** Query of `GET /gatehouse/v1/sessions/:sid/join`. */
export const sessionJoinRequest = z.strictObject({
  /** `peer`: what is typed reaches the session. */
  mode: z.enum(["observer", "peer"]).default("observer"),
  /** What names this participation when something is typed: the caller's choice. */
  key: z.uuid(),
});
export type SessionJoinRequest = z.infer<typeof sessionJoinRequest>;

/** Bytes that may be typed at once. */
export const maxTyped = 16 * 1024;

/** `POST /gatehouse/v1/sessions/:sid/join/:key/input`: what was typed. */
export const sessionInput = z.strictObject({
  /** Counts up from 1: what comes a second time is taken once. */
  seq: z.int().min(1),
  data: z.base64().max(Math.ceil(maxTyped / 3) * 4),
});
export type SessionInput = z.infer<typeof sessionInput>;

/** `DELETE /gatehouse/v1/sessions/:sid`. */
export const killRequest = z.strictObject({
  /** What its person reads. */
  message: z
    .string()
    .max(1000)
    .refine((text) => escapeLine(text) === text, "must be one line without characters that act on a terminal")
    .optional(),
});
export type KillRequest = z.infer<typeof killRequest>;
