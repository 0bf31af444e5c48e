import { z } from "zod";
import { GatehouseError } from "../../base/index.ts";
import type { Operation, StoredItem } from "../../store/index.ts";
import type { Context } from "../context.ts";
import { digest, kinds, readRecord } from "../records.ts";

/** Wrong codes that end a request. */
export const maxWrongCodes = 5;

/** Somebody who has proved, in a browser, who they are. */
const person = z.discriminatedUnion("type", [
  z.object({ type: z.literal("local"), user: z.string(), subject: z.string(), passwordRevision: z.number(), identityRevision: z.number() }),
  z.object({
    type: z.literal("sso"),
    /** The user name here. */
    user: z.string(),
    kind: z.enum(["github", "oidc", "saml"]),
    connector: z.string(),
    /** Of the connector, when it vouched for them. */
    revision: z.number(),
    /** Name and immutable id at the provider. */
    name: z.string(),
    id: z.string(),
    roles: z.array(z.string()),
    traits: z.record(z.string(), z.array(z.string())),
  }),
]);
export type ProvedPerson = z.infer<typeof person>;

const requestRecord = z.object({
  user: z.string(),
  publicKey: z.string(),
  host: z.string(),
  command: z.string(),
  /** `ip:port`. */
  address: z.string(),
  /** ms. */
  ttl: z.number(),
  /** Digest of what the terminal polls with. */
  pollHash: z.string(),
  /** Name of the slot that it takes of its user's three. */
  slot: z.string(),
  wrongCodes: z.number(),
  outcome: z.discriminatedUnion("state", [
    z.object({ state: z.literal("pending") }),
    z.object({ state: z.literal("approved"), person }),
    /** `id` is the refusal's, as in the audit log. */
    z.object({ state: z.literal("refused"), reason: z.string(), id: z.string() }),
  ]),
});
export type RequestRecord = z.infer<typeof requestRecord>;

const requestSecret = z.object({ code: z.string() });

/** A request as it is stored. */
export interface HeadlessRequest {
  readonly item: StoredItem;
  readonly id: string;
  readonly record: RequestRecord;
  readonly code: string;
}

const ticketRecord = z.object({ request: z.string(), person });

/** What lets one browser decide about one request. */
export interface StoredTicket {
  readonly item: StoredItem;
  readonly person: ProvedPerson;
}

/** The request is not there, for whatever reason: used, over, or never made. */
export function unknownRequest(): GatehouseError {
  return new GatehouseError("not_found", "this login is not waiting any more: it was used, or is older than two minutes", { hint: "start again in the terminal: tsh login --headless" });
}

/** Reads a request. Throws {@link unknownRequest}. */
export async function loadRequest({ store }: Pick<Context, "store">, id: string): Promise<HeadlessRequest> {
  const item = /^[A-Za-z0-9_-]{22}$/.test(id) ? await store.get(kinds.headless, id) : undefined;
  if (!item) throw unknownRequest();
  return { item, id, record: readRecord(requestRecord, item), code: readRecord(requestSecret, item, item.secret ?? "").code };
}

/** Reads a request that nobody has decided about. Throws {@link unknownRequest}. */
export async function loadPending(context: Pick<Context, "store">, id: string): Promise<HeadlessRequest> {
  const request = await loadRequest(context, id);
  if (request.record.outcome.state !== "pending") throw unknownRequest();
  return request;
}

/** Writes what changed of a request, if nobody else has written it meanwhile. */
export function changeRequest({ item, record }: HeadlessRequest, change: Partial<RequestRecord>): Operation {
  return { op: "put", kind: kinds.headless, name: item.name, value: JSON.stringify({ ...record, ...change }), secret: item.secret, expires: item.expires, expect: item.revision };
}

/** Gives the user's slot back. */
export const freeSlot = ({ record }: HeadlessRequest): Operation => ({ op: "delete", kind: kinds.headlessSlot, name: record.slot });

/** Name of the cookie that holds a browser's ticket for a request. */
export const ticketCookie = (id: string): string => `__Host-gatehouse-headless-${digest(`cookie\0${id}`).slice(0, 16)}`;

/** The ticket of a browser for this request. Throws `unauthenticated` where it has none. */
export async function loadTicket({ store }: Pick<Context, "store">, id: string, cookies: Readonly<Record<string, string | undefined>>): Promise<StoredTicket> {
  const token = cookies[ticketCookie(id)];
  const item = token !== undefined && /^[A-Za-z0-9_-]{43}$/.test(token) ? await store.get(kinds.headlessTicket, digest(token)) : undefined;
  const record = item && readRecord(ticketRecord, item);
  if (!item || record?.request !== id) throw new GatehouseError("unauthenticated", "this browser has not shown who you are", { hint: "open the address that the terminal shows, and let the browser keep cookies of the gateway" });
  return { item, person: record.person };
}
