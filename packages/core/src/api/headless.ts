import { z } from "zod";
import { sshLoginResponse } from "./web.ts";

/** Times of a login that is approved in a browser elsewhere, ms. */
export const headlessLimits = {
  /** From the request to the approval. */
  lifetime: 120_000,
  /** Longest certificate. */
  maxTtl: 3_600_000,
  /** Longest that one poll is held open. */
  pollWait: 20_000,
} as const;

/** Path of the page on which such a login is approved. */
export const headlessPagePath = (id: string): string => `/web/headless/${id}`;

/** Path of the page that shows what is asked for, to a browser that has proved who uses it. */
export const headlessDecisionPath = (id: string): string => `${headlessPagePath(id)}/decide`;

/** `POST /gatehouse/v1/headless`: a terminal asks. */
export const headlessRequest = z.object({
  /** Who will approve it. */
  user: z.string().min(1).max(256),
  /** Base64 of an `authorized_keys` line. */
  public_key: z.base64().max(64 * 1024),
  /** The asking machine's name for itself. */
  host: z.string().max(253),
  /** What the certificates are for; empty for a shell. */
  command: z.string().max(1024),
  /** Nanoseconds. */
  ttl: z.number(),
});
export type HeadlessRequest = z.infer<typeof headlessRequest>;

/** Its answer. The code is in neither: both ends work it out (`headlessCode`). */
export const headlessStart = z.object({
  id: z.string().regex(/^[A-Za-z0-9_-]{22}$/),
  poll_secret: z.string().min(16).max(256),
  /** Address of the page on which to approve. */
  url: z.string().max(2048),
  /** `ip:port` that the gateway saw the request come from. */
  address: z.string().max(256),
  /** RFC 3339. */
  expires: z.string().max(64),
});
export type HeadlessStart = z.infer<typeof headlessStart>;

/** `POST /gatehouse/v1/headless/ID/poll`. */
export const headlessPollRequest = z.object({ poll_secret: z.string().min(1).max(256) });

/** Its answer; a refusal is an error. */
export const headlessPoll = z.discriminatedUnion("state", [z.object({ state: z.literal("pending") }), z.object({ state: z.literal("approved"), login: sshLoginResponse })]);
export type HeadlessPoll = z.infer<typeof headlessPoll>;
