import { JoinRefused } from "../../connectors/index.ts";
import { isHostToken, resourceToJson, type ProvisionToken } from "../../resources/index.ts";
import type { Operation, StoredItem } from "../../store/index.ts";
import type { Context } from "../context.ts";
import { digest, joinUsedRecord, kinds, nodeJoinRecord, readRecord, type JoinUsedRecord, type NodeJoinRecord } from "../records.ts";
import { readToken } from "../stored-resources.ts";

const day = 24 * 3_600_000;
/** How long it is told that a token was used. */
const toldFor = 7 * day;
/** How long the host that used one may come again with it, where the token has no end of its own: what went wrong on the host can be put right. */
const againFor = day;

/** A token that lets a host join: what it says, and what goes in one transaction with the host. */
export interface HostToken {
  /** What tells it in the audit log: the beginning of its digest. */
  readonly id: string;
  readonly digest: string;
  /** Undefined for a host that comes again after the last use: it stays as it was stored. */
  readonly spec: ProvisionToken["spec"] | undefined;
  /** Until when the same host may come again. */
  readonly until: number;
  /** A use of it. */
  readonly operations: readonly Operation[];
}

const tokenIdLength = 12;
/** How a token is told: by the beginning of its digest. */
export const tokenId = (token: string): string => digest(token).slice(0, tokenIdLength);

function useOf(stored: StoredItem, token: ProvisionToken, now: number): readonly Operation[] {
  const { kind, name, secret, expires, revision } = stored;
  const left = (token.spec.uses ?? 1) - 1;
  if (left > 0) return [{ op: "put", kind, name, value: JSON.stringify(resourceToJson({ ...token, spec: { ...token.spec, uses: left } })), secret, expires, expect: revision }];
  return [
    { op: "delete", kind, name, expect: revision },
    { op: "put", kind: kinds.joinUsed, name, value: JSON.stringify({ at: now } satisfies JoinUsedRecord), expires: now + toldFor, expect: "absent" },
  ];
}

/** Certificates of a host that are remembered: one that asks all the time is told of in the log, and its older ones end by themselves. */
const maxRemembered = 50;

/** What is remembered of a host's certificates, with another one. */
export function remember(before: NodeJoinRecord["certificates"], { serial, expires }: { readonly serial: bigint; readonly expires: number }, now: number): NodeJoinRecord["certificates"] {
  return [...before.filter((each) => each.expires > now), { serial: String(serial), expires }].slice(-maxRemembered);
}

/** How a host joined, if it did by itself. */
export async function joinOf({ store }: Context, id: string): Promise<{ readonly item: StoredItem; readonly record: NodeJoinRecord } | undefined> {
  const item = await store.get(kinds.nodeJoin, id);
  return item && { item, record: readRecord(nodeJoinRecord, item) };
}

/** The token that a host brings. `known`: the host with this key, which has joined before. Throws {@link JoinRefused}. */
export async function hostToken(context: Context, secret: string, known: NodeJoinRecord | undefined): Promise<HostToken> {
  const { store, clock } = context;
  const name = digest(secret);
  const now = clock.now();
  const isSame = known?.token === name && known.until > now;
  const stored = await store.get("token", name);
  const token = stored && readToken(stored);
  const end = token?.metadata.expires === undefined ? now + againFor : Date.parse(token.metadata.expires);
  if (stored && token && end > now) {
    if (!isHostToken(token.spec)) throw new JoinRefused("method", "this token lets no hosts join", { hint: "an administrator makes one that does: tctl nodes add" });
    return { id: tokenId(secret), digest: name, spec: token.spec, until: end, operations: isSame ? [{ op: "check", kind: "token", name, expect: stored.revision }] : useOf(stored, token, now) };
  }
  if (isSame) return { id: tokenId(secret), digest: name, spec: undefined, until: known.until, operations: [] };
  const used = await store.get(kinds.joinUsed, name);
  if (used) {
    const at = new Date(readRecord(joinUsedRecord, used).at).toISOString();
    throw new JoinRefused("token_used", `this token was used already, the last time at ${at}`, { hint: "if that was not you, remove what joined: tctl nodes rm; an administrator makes another token: tctl nodes add" });
  }
  throw new JoinRefused("token", "there is no such token, or it has ended", { hint: "an administrator makes one: tctl nodes add" });
}
