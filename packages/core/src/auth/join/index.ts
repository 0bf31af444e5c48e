/** Machines that join: a one-use token, or a job's own JWT, for an hour's certificates of a bot. */
import type { SshLoginResponse } from "../../api/index.ts";
import { auditEvents } from "../../audit/index.ts";
import { GatehouseError, errorMessage, refusalId, toGatehouseError } from "../../base/index.ts";
import { JoinRefused, createIssuerKeys, type IssuerKeys, type IssuerLimits } from "../../connectors/index.ts";
import { botUserName } from "../../resources/index.ts";
import { botSubject } from "../bots.ts";
import type { Context } from "../context.ts";
import { Overtaken, checkRequest, issueSession } from "../issue.ts";
import { Locked } from "../locks.ts";
import { readBot } from "../stored-resources.ts";
import type { Logins } from "../types.ts";
import { endOf } from "../users.ts";
import { prove, type Proof } from "./prove.ts";

type JoinRequest = Parameters<Logins["join"]>[0];

/** Certificates of machines live at most so long, ms. */
const maxTtl = 3_600_000;

/** Joins of bots. */
export function createJoin(context: Context, limits?: IssuerLimits): Pick<Logins, "join"> {
  const keys: IssuerKeys = createIssuerKeys(context.clock, limits);

  async function admit(request: JoinRequest, known: (proof: Proof) => void): Promise<SshLoginResponse> {
    checkRequest(request);
    const proof = await prove(context, keys, request);
    known(proof);
    const { bot: name, method, token } = proof;
    const stored = await context.store.get("bot", name);
    const bot = stored && readBot(stored);
    const now = context.clock.now();
    if (!bot || endOf(bot) <= now) throw new JoinRefused("bot", `the bot "${name}", whom this token is for, does not exist`);
    const user = botUserName(name);
    const cap = bot.spec.max_ttl === 0 ? maxTtl : bot.spec.max_ttl;
    try {
      return await issueSession(context, {
        username: user,
        subjectId: botSubject(name),
        roles: bot.spec.roles,
        traits: bot.spec.traits,
        publicKey: request.publicKey,
        ttl: Math.min(request.ttl, cap, endOf(bot) - now),
        compatibility: request.compatibility,
        method: "join",
        connector: token,
        origin: request.origin,
        event: (session) => ({ ...auditEvents.botJoin, user, bot: name, success: true, method, token, ...proof.facts, session, "addr.remote": request.origin.remoteAddress }),
        alongside: () => [{ op: "check", kind: "bot", name, expect: stored.revision }, ...proof.operations],
      });
    } catch (error) {
      if (error instanceof Overtaken) await proof.again();
      throw error;
    }
  }

  /** Records a refusal. It stands even where the log cannot be written: nothing was granted. */
  async function refuse(request: JoinRequest, proof: Proof | undefined, thrown: unknown): Promise<GatehouseError> {
    const error = toGatehouseError(thrown);
    const id = error.id ?? refusalId(context.random);
    const rule = thrown instanceof JoinRefused ? thrown.rule : thrown instanceof Locked ? "lock" : undefined;
    const user = proof && botUserName(proof.bot);
    context.logger.warn({ id, user, method: request.method, rule, error: error.message, cause: error.cause === undefined ? undefined : errorMessage(error.cause) }, "a bot's join was refused");
    try {
      await context.audit.emit({
        ...auditEvents.botJoinFailed, user, bot: proof?.bot, success: false, method: request.method, token: proof?.token, rule, error: error.message, id,
        lock: thrown instanceof Locked ? thrown.lock : undefined,
        "addr.remote": request.origin.remoteAddress,
      });
    } catch (auditError) {
      context.logger.error({ id, error: errorMessage(auditError) }, "a refused join could not be audited");
    }
    return new GatehouseError(error.code, error.message, { hint: error.hint, id, cause: error.cause });
  }

  return {
    async join(request) {
      let proof: Proof | undefined;
      try {
        return await admit(request, (found) => (proof = found));
      } catch (error) {
        throw await refuse(request, proof, error);
      }
    },
  };
}
