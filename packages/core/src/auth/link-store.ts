import { GatehouseError, describeDuration, randomHex } from "../base/index.ts";
import type { Operation, StoredItem } from "../store/index.ts";
import type { Context } from "./context.ts";
import { equalTexts } from "./sso-request.ts";
import { digest, inviteRecord, inviteSecret, kinds, readRecord, type InviteRecord, type InviteSecret } from "./records.ts";

const minTtl = 60_000;
const maxTtl = 48 * 3_600_000;

/** A one-use token and the operation that stores its hash. */
export interface NewLink {
  readonly token: string;
  /** ms since the epoch. */
  readonly expires: number;
  readonly operation: Operation;
}

/** A link that works `ttl` ms. Throws `bad_parameter` for a time that is too short or too long. */
export function newLink(context: Context, link: Pick<InviteRecord, "user" | "purpose" | "device">, ttl: number): NewLink {
  if (!(ttl >= minTtl && ttl <= maxTtl)) throw new GatehouseError("bad_parameter", `a sign-up link lives ${describeDuration(minTtl)} to ${String(maxTtl / 3_600_000)} h`);
  const token = randomHex(context.random, 16);
  const created = context.clock.now();
  const record: InviteRecord = { ...link, created };
  const expires = created + ttl;
  return { token, expires, operation: { op: "put", kind: kinds.invite, name: digest(token), value: JSON.stringify(record), secret: "{}", expires, expect: "absent" } };
}

/** A link as it is stored. */
export interface StoredLink {
  readonly item: StoredItem;
  readonly record: InviteRecord;
  readonly secret: InviteSecret;
}

/** Throws `not_found` for a token that was used, has expired, or never was. */
export async function findLink({ store }: Context, token: string): Promise<StoredLink> {
  const item = /^[0-9a-f]{32}$/.test(token) ? await store.get(kinds.invite, digest(token)) : undefined;
  if (!item) throw new GatehouseError("not_found", "this link was used already, or has expired", { hint: "ask for a new one: of an administrator for a password, with tsh mfa for a second factor" });
  return { item, record: readRecord(inviteRecord, item), secret: readRecord(inviteSecret, item, item.secret ?? "{}") };
}

/** {@link findLink} as whoever shows `pass` sees it: for anybody but the browser that chose the password, or confirmed, the link begins anew. */
export async function findOwnLink(context: Context, token: string, pass: string | undefined): Promise<StoredLink> {
  const link = await findLink(context, token);
  const { user, purpose, created, device, registering, passHash } = link.record;
  const isOwn = passHash !== undefined && pass !== undefined && equalTexts(digest(pass), passHash);
  return registering !== true || isOwn ? link : { ...link, record: { user, purpose, created, device }, secret: {} };
}

/** Keeps how far the person has come. Throws `compare_failed` where they went on in another window. */
export async function saveLink({ store }: Context, { item }: StoredLink, record: InviteRecord, secret: InviteSecret): Promise<StoredLink> {
  const [saved] = await store.transact([{ op: "put", kind: kinds.invite, name: item.name, value: JSON.stringify(record), secret: JSON.stringify(secret), expires: item.expires, expect: item.revision }]);
  if (!saved) throw new GatehouseError("internal", "the store kept no link");
  return { item: saved, record, secret };
}

/** Uses the link up, in one transaction with what it was for. Throws `not_found` where somebody was faster. */
export async function spendLink(context: Context, token: string, { item }: StoredLink, operations: readonly Operation[]): Promise<void> {
  try {
    await context.store.transact([{ op: "delete", kind: kinds.invite, name: item.name, expect: item.revision }, ...operations]);
  } catch (error) {
    if (error instanceof GatehouseError && ["compare_failed", "not_found"].includes(error.code)) await findLink(context, token);
    throw error;
  }
}
