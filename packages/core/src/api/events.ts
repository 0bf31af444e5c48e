import { z } from "zod";

/** Shapes of `GET /gatehouse/v1/events` and `…/events/follow`. Events are as they stand in the log (reference §12.1). */

const moment = z.coerce.number().int().min(0).max(Number.MAX_SAFE_INTEGER);
const text = z.string().min(1).max(512);

const filter = {
  /** Names of events, one or more. */
  event: z
    .union([text, z.array(text).max(50)])
    .transform((value) => (typeof value === "string" ? [value] : value))
    .optional(),
  user: text.optional(),
  sid: text.optional(),
};

/** Query of a search. Times in ms since the epoch, `to` excluded. */
export const eventsQuery = z.strictObject({
  ...filter,
  from: moment.optional(),
  to: moment.optional(),
  limit: z.coerce.number().int().min(1).max(10_000).default(500),
  order: z.enum(["asc", "desc"]).default("asc"),
  /** Of the page before. */
  cursor: z.string().max(64).optional(),
});

/** Query of what is followed. */
export const followQuery = z.strictObject(filter);

/** An event as it stands in the log. */
export const loggedEvent = z.looseObject({ event: z.string(), time: z.string().optional() });
export type LoggedEvent = z.infer<typeof loggedEvent>;

/** A page of events. With a cursor there may be more, even where this page has fewer than were asked for. */
export const eventsResponse = z.object({ events: z.array(loggedEvent), cursor: z.string().optional() });
export type EventsResponse = z.infer<typeof eventsResponse>;

/** What events to look for, as the client says it. */
export interface EventsRequest {
  readonly event?: readonly string[] | undefined;
  readonly user?: string | undefined;
  readonly sid?: string | undefined;
  readonly from?: number | undefined;
  readonly to?: number | undefined;
  readonly limit?: number | undefined;
  readonly order?: "asc" | "desc" | undefined;
  readonly cursor?: string | undefined;
}

/** The query of a request, `?` included; empty for none. */
export function eventsPath(request: EventsRequest): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(request) as readonly [string, string | number | readonly string[] | undefined][]) {
    for (const one of typeof value === "object" ? value : value === undefined ? [] : [value]) query.append(name, String(one));
  }
  return query.size === 0 ? "" : `?${query.toString()}`;
}
