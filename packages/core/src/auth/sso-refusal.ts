import type { LoginFailure } from "../api/index.ts";
import { auditEvents, userLogin, type AuditEventInput } from "../audit/index.ts";
import { GatehouseError, errorMessage, refusalId, toGatehouseError } from "../base/index.ts";
import { PinMismatch } from "../connectors/index.ts";
import type { Connector } from "../resources/index.ts";
import type { Context } from "./context.ts";
import { Locked } from "./locks.ts";
import { answerLocation, parseLoopback } from "./loopback.ts";
import type { SsoRequestRecord } from "./records.ts";
import type { SsoRequest } from "./sso-request.ts";
import { NameTaken } from "./sso-user.ts";
import type { RequestOrigin } from "./types.ts";

/** Whom a login is of, as far as it is known. */
export interface SsoPerson {
  /** The user name here. */
  readonly user: string;
  /** The name at the provider, now. */
  readonly external: string;
}

/** Refuses logins through connectors. */
export interface SsoRefusal {
  /** Audits and logs a refusal; returns it with its id. */
  refuse(kind: Connector["kind"], request: SsoRequest | undefined, person: SsoPerson | undefined, thrown: unknown, origin: RequestOrigin): Promise<GatehouseError>;
  /** The same, for the terminal that waits: returns where the browser takes the sealed refusal. Throws the refusal where no terminal waits (an approval). */
  tellTerminal(request: SsoRequest, person: SsoPerson | undefined, thrown: unknown, origin: RequestOrigin): Promise<string>;
}

/** What the audit log is told of a test that ended: who asked for it, of which connector, and what a login would have been refused for. */
export function testEvent({ connector, kind }: SsoRequestRecord, by: string, external: string | undefined, problem: GatehouseError | undefined, id?: string): AuditEventInput {
  return { ...auditEvents.connectorTest, user: by, connector, method: kind, external_name: external, success: problem === undefined, error: problem?.message, ...(id === undefined ? {} : { id }) };
}

/** What the audit log is told of a refusal: always the failed login (or test of one), and whose name or organization was not whose it was. */
function refusalEvents(kind: Connector["kind"], request: SsoRequest | undefined, person: SsoPerson | undefined, error: GatehouseError, id: string, origin: RequestOrigin): AuditEventInput[] {
  const { user, external } = person ?? {};
  const connector = request?.record.connector;
  if (request?.record.purpose.type === "test") return [testEvent(request.record, request.record.purpose.by, external, error, id)];
  const events: AuditEventInput[] = [userLogin({ method: kind, user, error: error.message, id, origin, fields: { connector, external_name: external, lock: error instanceof Locked ? error.lock : undefined } })];
  if (error instanceof PinMismatch || error instanceof NameTaken) {
    events.push({ ...auditEvents.identityRefused, user, method: kind, connector, external_name: external, error: error.message, id, "addr.remote": origin.remoteAddress });
  }
  return events;
}

/** What nobody foresaw is for the gateway's log alone: it may speak of paths and programs. */
function unforeseen({ id }: GatehouseError): GatehouseError {
  return new GatehouseError("internal", "the gateway failed in the middle of this login", { id, hint: `an administrator finds the cause in the gateway's log${id === undefined ? "" : ` as ${id}`}` });
}

/** Makes it. A refusal stands even where the log cannot be written: nothing was granted. */
export function createSsoRefusal(context: Context): SsoRefusal {
  const refuse: SsoRefusal["refuse"] = async (kind, request, person, thrown, origin) => {
    const error = toGatehouseError(thrown);
    const id = error.id ?? refusalId(context.random);
    const connector = request?.record.connector;
    context.logger.warn({ id, connector, user: person?.user, error: error.message, cause: error.cause === undefined ? undefined : errorMessage(error.cause) }, "a login through a connector was refused");
    try {
      for (const event of refusalEvents(kind, request, person, error, id, origin)) await context.audit.emit(event);
    } catch (auditError) {
      context.logger.error({ id, error: errorMessage(auditError) }, "a refused login could not be audited");
    }
    return new GatehouseError(error.code, error.message, { hint: error.hint, id, cause: error.cause });
  };

  return {
    refuse,
    async tellTerminal(request, person, thrown, origin) {
      const { clientRedirectUrl } = request.secret;
      const refused = await refuse(request.record.kind, request, person, thrown, origin);
      if (clientRedirectUrl === undefined) throw refused;
      const { message, code, hint, id } = thrown instanceof GatehouseError ? refused : unforeseen(refused);
      const failure: LoginFailure = { message, code, ...(hint === undefined ? {} : { hint }), ...(id === undefined ? {} : { id }) };
      return answerLocation(parseLoopback(clientRedirectUrl), "error", failure, context.random);
    },
  };
}
