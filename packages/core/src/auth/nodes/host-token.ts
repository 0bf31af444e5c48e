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

/** Certificates of a host at a time: all are revoked in the transaction that removes it, and a transaction has a thousand operations at most. */
const maxCertificates = 500;

/** What is remembered of a host's certificates, with another one. Throws {@link JoinRefused} where there are too many: one that is forgotten could not be revoked. */
export function remember(before: NodeJoinRecord["certificates"], { serial, expires }: { readonly serial: bigint; readonly expires: number }, now: number): NodeJoinRecord["certificates"] {
  const valid = before.filter((each) => each.expires > now);
  if (valid.length >= maxCertificates) {
    const first = new Date(Math.min(...valid.map((each) => each.expires))).toISOString();
    throw new JoinRefused("certificates", `this host has ${valid.length} certificates that have not ended, and gets no more until ${first}`, { hint: "to have all of them revoked, an administrator removes it and lets it join again: tctl nodes rm, tctl nodes add" });
  }
  return [...valid, { serial: String(serial), expires }];
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
