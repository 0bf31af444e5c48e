import type { FastifyInstance } from "fastify";
import { Readable } from "node:stream";
import { eventsQuery, followQuery, type EventsResponse, type StatusResponse } from "../../api/index.ts";
import { formatCursor, parseCursor, type AuditStatus, type EventFilter, type LoggedEvent } from "../../audit/index.ts";
import type { Caller } from "../../auth/index.ts";
import { GatehouseError, errorMessage } from "../../base/index.ts";
import { errorBody, parseRequest } from "../http/index.ts";
import type { CallerOf } from "./caller.ts";
import { createSlots, inTime, nameOf } from "./streams.ts";
import type { AdminOptions } from "./types.ts";

/** The proof of the audit log, as the status tells it. */
export function auditView({ chain, checkpoint, problem, witnesses }: AuditStatus): NonNullable<StatusResponse["audit"]> {
  return {
    lines: chain.lines,
    ...(checkpoint === undefined ? {} : { checkpoint: { ...checkpoint } }),
    ...(problem === undefined ? {} : { problem }),
    witnesses: witnesses.map(({ name, waiting, lag, dropped, problem: why }) => ({ name, waiting, lag, dropped, ...(why === undefined ? {} : { problem: why }) })),
  };
}

/** Who follows events at once, and how often one person does. */
const maxFollowers = 32;
const maxOwnFollowers = 4;
/** What it takes to see an event. */
const looks = ["list", "read"] as const;
/** A line without anything, so that a client that is gone is noticed. */
const aliveMs = 15_000;

/** What a caller may see: events that they may both list and read. */
function visibleTo(options: AdminOptions, caller: Caller): (event: LoggedEvent) => boolean {
  const { admin } = options.auth;
  return (event) => looks.every((verb) => admin.explainEvent(caller, verb, event).allowed);
}

/** Events as lines, as they are written; whoever asked is looked up anew all the time. */
async function* followed(options: AdminOptions, filter: EventFilter, callerNow: () => Caller, signal: AbortSignal): AsyncGenerator<string, void, void> {
  let said = performance.now();
  // The answer begins at once, whether or not there is anything to tell.
  yield "\n";
  try {
    for await (const event of options.events.follow(filter, signal)) {
      const may = visibleTo(options, callerNow());
      if (event && may(event)) yield `${JSON.stringify(event)}\n`;
      else if (performance.now() - said > aliveMs) yield "\n";
      else continue;
      said = performance.now();
    }
  } catch (error) {
    yield `${JSON.stringify(errorBody(error instanceof GatehouseError ? error : new GatehouseError("internal", errorMessage(error))))}\n`;
  }
}

/** The audit log, and what this gateway keeps as a witness, for whoever may read events. */
export function eventRoutes(app: FastifyInstance, options: AdminOptions, callerOf: CallerOf): void {
  const slots = createSlots({ total: maxFollowers, each: maxOwnFollowers, what: "followers of events" });
  app.get("/gatehouse/v1/events", async (request): Promise<EventsResponse> => {
    const caller = callerOf(request.raw);
    const { event: events, cursor, ...rest } = parseRequest(eventsQuery, request.query);
    await options.auth.admin.requireEver(caller, "event", looks);
    const page = await options.events.find({ ...rest, events, cursor: cursor === undefined ? undefined : parseCursor(cursor), visible: visibleTo(options, caller) });
    return { events: page.events as EventsResponse["events"], ...(page.cursor === undefined ? {} : { cursor: formatCursor(page.cursor) }) };
  });

  app.get("/gatehouse/v1/events/follow", async (request, reply) => {
    const caller = callerOf(request.raw);
    const { event: events, ...rest } = parseRequest(followQuery, request.query);
    await options.auth.admin.requireEver(caller, "event", looks);
    const giveBack = slots.take(nameOf(caller));
    const stop = new AbortController();
    reply.raw.once("close", () => {
      giveBack();
      stop.abort();
    });
    const cut = (): void => void reply.raw.destroy();
    const lines = Readable.from(inTime(followed(options, { ...rest, events }, () => callerOf(request.raw), stop.signal), cut), { highWaterMark: 16 });
    return reply.type("application/x-ndjson").send(lines);
  });

  app.get<{ Params: { name: string } }>("/gatehouse/v1/witness/:name", async (request, reply) => {
    const rule = options.auth.admin.explainRule(callerOf(request.raw), "event", "read");
    if (!rule.allowed) throw new GatehouseError("access_denied", rule.reasons[0]?.text ?? "no role allows to read events");
    return reply.type("application/x-ndjson").send(await options.witness.read(request.params.name));
  });
}
