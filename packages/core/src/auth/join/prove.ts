import { JoinRefused, maxJwtAge, verifyJobJwt, type IssuerKeys } from "../../connectors/index.ts";
import { GatehouseError } from "../../base/index.ts";
import { isHostToken, jobMethods, type JoinMethod, type ProvisionToken } from "../../resources/index.ts";
import type { Operation, StoredItem } from "../../store/index.ts";
import type { Context } from "../context.ts";
import { digest, joinUsedRecord, kinds, readRecord } from "../records.ts";
import { readToken } from "../stored-resources.ts";
import { auditedClaims, matchRules } from "./claims.ts";

/** How long it is told that a token was used, ms. */
const toldFor = 7 * 24 * 3_600_000;
/** Clocks of issuers may be behind by so much, ms. */
const skew = 60_000;

/** A machine that has proved that it may join, as far as it stands by itself. */
export interface Proof {
  readonly bot: string;
  readonly method: JoinMethod;
  /** Name of the token, where it is no secret. */
  readonly token: string | undefined;
  /** For the audit log: which rule matched, and whose job it was. */
  readonly facts: Readonly<Record<string, number | Readonly<Record<string, string | readonly string[]>>>>;
  /** What makes it a proof for once, all of it in one transaction with the session. */
  readonly operations: readonly Operation[];
  /** Why not, where those could not be carried out. Throws. */
  readonly again: () => Promise<void>;
}

const noToken = (): JoinRefused => new JoinRefused("token", "there is no such token, or it has ended", { hint: "an administrator makes one: tctl tokens add" });

async function refuseUsed({ store }: Context, name: string): Promise<void> {
  const used = await store.get(kinds.joinUsed, name);
  if (!used) return;
  const { at } = readRecord(joinUsedRecord, used);
  throw new JoinRefused("token_used", `this token was used already, at ${new Date(at).toISOString()}: it works once`, { hint: "if that was not you, remove what joined: tctl lock --user=bot:NAME; an administrator makes another token: tctl tokens add" });
}

async function refuseReplayed({ store }: Context, seen: string): Promise<void> {
  if (await store.get(kinds.joinSeen, seen)) throw new JoinRefused("replayed", "this JWT was used already: each one works once", { hint: "get a new one from where the job got this one" });
}

/** The one use of a token whose name is the proof. */
function proveByToken(context: Context, token: ProvisionToken, stored: StoredItem): Proof {
  const now = context.clock.now();
  return {
    bot: token.spec.bot_name ?? "",
    method: "token",
    token: undefined,
    facts: {},
    operations: [
      { op: "delete", kind: "token", name: stored.name, expect: stored.revision },
      { op: "put", kind: kinds.joinUsed, name: stored.name, value: JSON.stringify({ at: now }), expires: now + toldFor, expect: "absent" },
    ],
    again: async () => {
      await refuseUsed(context, stored.name);
      if (!(await context.store.get("token", stored.name))) throw noToken();
    },
  };
}

/** What of a JWT is its own: its id at its issuer, or what was signed. (Not the whole text: some signatures have two forms.) */
function ownDigest(issuer: string, jti: unknown, jwt: string): string {
  return digest(typeof jti === "string" && jti !== "" ? JSON.stringify(["jti", issuer, jti]) : JSON.stringify(["jwt", issuer, jwt.split(".").slice(0, 2).join(".")]));
}

async function proveByJwt(context: Context, keys: IssuerKeys, token: ProvisionToken, stored: StoredItem, jwt: string): Promise<Proof> {
  const { join_method: method, bot_name: bot = "", allow = [], audience, jwks } = token.spec;
  if (method === undefined || method === "token") throw new GatehouseError("internal", "a token without a JWT was asked for one");
  const issuer = token.spec.issuer ?? jobMethods[method].issuer ?? "";
  const audiences = audience === undefined ? [context.authorities.clusterName, ...context.publicUrls().map((url) => new URL(url).origin)] : [audience];
  const claims = await verifyJobJwt(jwt, { issuer, audiences, jwks, now: context.clock.now() }, keys);
  const matched = matchRules(method, allow, claims);
  const seen = ownDigest(issuer, claims.jti, jwt);
  await refuseReplayed(context, seen);
  return {
    bot,
    method,
    token: token.metadata.name,
    facts: { rule: matched.index, matched: matched.claims, claims: auditedClaims(claims) },
    operations: [
      { op: "check", kind: "token", name: stored.name, expect: stored.revision },
      { op: "put", kind: kinds.joinSeen, name: seen, value: "{}", expires: Math.min((claims.exp ?? 0) * 1000, context.clock.now() + maxJwtAge) + skew, expect: "absent" },
    ],
    again: () => refuseReplayed(context, seen),
  };
}

/** What a machine brings. */
export interface JoinProof {
  readonly method: JoinMethod;
  readonly token: string;
  readonly jwt: string | undefined;
}

/** Checks what a machine brings against its token. Throws {@link JoinRefused}, naming the rule. */
export async function prove(context: Context, keys: IssuerKeys, request: JoinProof): Promise<Proof> {
  const name = digest(request.token);
  const stored = await context.store.get("token", name);
  if (!stored) {
    await refuseUsed(context, name);
    throw noToken();
  }
  const token = readToken(stored);
  const { join_method: method } = token.spec;
  if (token.metadata.expires !== undefined && Date.parse(token.metadata.expires) <= context.clock.now()) throw noToken();
  if (isHostToken(token.spec)) throw new JoinRefused("method", "this token lets hosts join, not bots");
  if (method === undefined) throw new JoinRefused("method", "this token is for machines of the cluster's own, not for bots");
  if (method !== request.method) throw new JoinRefused("method", `this token is for --join-method=${method}, not ${request.method}`);
  if (method === "token") return proveByToken(context, token, stored);
  if (request.jwt === undefined) throw new JoinRefused("jwt", `joining by ${method} takes the job's JWT`);
  return proveByJwt(context, keys, token, stored, request.jwt);
}
