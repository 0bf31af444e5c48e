import type { LoginFailure, SshLoginResponse } from "../api/index.ts";
import { auditEvents, userLogin, type AuditEventInput } from "../audit/index.ts";
import { GatehouseError, errorMessage, refusalId, toGatehouseError } from "../base/index.ts";
import { PinMismatch, checkPins, type Vouched } from "../connectors/index.ts";
import type { Operation } from "../store/index.ts";
import type { Context } from "./context.ts";
import { Overtaken, issueSession, raceCodes } from "./issue.ts";
import { Locked } from "./locks.ts";
import { answerLocation, parseLoopback } from "./loopback.ts";
import { digest, type SsoPurpose } from "./records.ts";
import type { ConnectorInUse } from "./sso-providers.ts";
import { cookieName, equalTexts, findRequest, spendRequest, unknownLogin, type SsoRequest } from "./sso-request.ts";
import { explainLogin } from "./sso-test.ts";
import { withProvider } from "./sso-under-way.ts";
import { NameTaken, appointedEnd, findStanding, userOperations, type ExternalPerson } from "./sso-user.ts";
import type { Logins, RequestOrigin } from "./types.ts";
import { refuseLocked } from "./users.ts";

type FinishRequest = Parameters<Logins["finishSso"]>[0];

const maxTries = 5;

/** Refuses a browser that is not the one that opened the login. */
function checkBrowser(request: SsoRequest, state: string, cookies: FinishRequest["cookies"]): void {
  const cookie = cookies[cookieName(state)];
  const { cookieHash } = request.record;
  if (cookie === undefined || cookieHash === undefined || !equalTexts(digest(cookie), cookieHash)) {
    throw new GatehouseError("access_denied", "the browser that came back from the identity provider is not the one that this login was opened in (its cookie is missing)", {
      hint: "log in again, open the link once, and let the browser keep cookies of the gateway",
    });
  }
}

/** Whom a login is of, as far as it is known. */
interface Person {
  /** The user name here. */
  readonly user: string;
  /** The name at the provider, now. */
  readonly external: string;
}

/** The connector that a login goes through is not the one any more that vouched for the person. */
class ConnectorChanged extends GatehouseError {
  constructor(name: string, cause: GatehouseError) {
    super("compare_failed", `connector "${name}" was changed by an administrator during this login`, { hint: "log in again: tsh login", cause });
  }
}

async function isChanged(context: Context, { connector, revision }: ConnectorInUse): Promise<boolean> {
  return (await context.store.get(connector.kind, connector.metadata.name))?.revision !== revision;
}

/** Signs the person in; two logins of one person at the same moment both succeed. `known` is told their user name before anything of theirs is refused. */
async function admit(
  context: Context,
  inUse: ConnectorInUse,
  request: SsoRequest,
  found: Vouched,
  purpose: Extract<SsoPurpose, { type: "certificates" }>,
  origin: RequestOrigin,
  known: (user: string) => void,
): Promise<SshLoginResponse> {
  const { kind } = request.record;
  const { connector, revision } = inUse;
  const { name } = connector.metadata;
  const stillThat: Operation = { op: "check", kind, name, expect: revision };
  if (connector.kind === "github") await checkPins(context.store, connector, found.memberships ?? { teams: [] }, [stillThat]);
  const { roles, traits, problem } = found.mapping;
  if (problem) throw problem;
  const person: ExternalPerson = { type: kind, connector: name, name: found.name, id: found.id };
  for (let tries = 1; ; tries++) {
    const standing = await findStanding(context, person);
    const now = context.clock.now();
    const { username } = standing;
    known(username);
    if (standing.user) refuseLocked(standing.user, now);
    try {
      return await issueSession(context, {
        username,
        externalName: person.name,
        subjectId: standing.subject,
        roles,
        traits,
        publicKey: purpose.publicKey,
        ttl: Math.min(purpose.ttl, appointedEnd(standing) - now),
        compatibility: purpose.compatibility,
        method: kind,
        connector: name,
        origin,
        alongside: (expires) => [stillThat, ...userOperations(person, standing, { roles, traits }, now, expires)],
      });
    } catch (error) {
      if (!(error instanceof Overtaken) || tries >= maxTries || (await isChanged(context, inUse))) throw error;
    }
  }
}

/** Admits where the connector is still as it was when it vouched for the person. Throws {@link ConnectorChanged}. */
async function admitUnchanged<T>(context: Context, inUse: ConnectorInUse, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const isRace = error instanceof GatehouseError && raceCodes.includes(error.code);
    throw isRace && (await isChanged(context, inUse)) ? new ConnectorChanged(inUse.connector.metadata.name, error) : error;
  }
}

/** What the audit log is told of a refusal: always the failed login, and whose name or organization was not whose it was. */
function refusalEvents(kind: FinishRequest["kind"], request: SsoRequest | undefined, person: Person | undefined, error: GatehouseError, id: string, origin: RequestOrigin): AuditEventInput[] {
  const { user, external } = person ?? {};
  const connector = request?.record.connector;
  const events: AuditEventInput[] = [userLogin({ method: kind, user, error: error.message, id, origin, fields: { connector, external_name: external, lock: error instanceof Locked ? error.lock : undefined } })];
  if (error instanceof PinMismatch || error instanceof NameTaken) {
    events.push({ ...auditEvents.identityRefused, user, method: kind, connector, external_name: external, error: error.message, id, "addr.remote": origin.remoteAddress });
  }
  return events;
}

/** The last step of a login through a connector. */
export function createSsoFinish(context: Context): Pick<Logins, "finishSso"> {
  /** Records a refusal. It stands even where the log cannot be written: nothing was granted. */
  async function refuse(kind: FinishRequest["kind"], request: SsoRequest | undefined, person: Person | undefined, thrown: unknown, origin: RequestOrigin): Promise<GatehouseError> {
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
  }

  return {
    async finishSso({ kind, parameters, cookies, origin }) {
      const state = kind === "saml" ? parameters["RelayState"] : parameters["state"];
      let request: SsoRequest;
      try {
        request = await findRequest(context, state);
        if (request.record.kind !== kind) throw unknownLogin();
        await spendRequest(context, request);
      } catch (error) {
        throw await refuse(kind, undefined, undefined, error, origin);
      }
      const loopback = parseLoopback(request.secret.clientRedirectUrl);
      const clearCookie = cookieName(state ?? "");
      let who: Person | undefined;
      try {
        checkBrowser(request, state ?? "", cookies);
        const { callbackUrl, purpose } = request.record;
        const answer = await withProvider(context, request, async (inUse) => {
          const person = await inUse.provider.authenticate({ state: state ?? "", codeVerifier: request.secret.verifier, callbackUrl, parameters });
          const external = person.name;
          who = { user: external, external };
          if (purpose.type === "test") return explainLogin(context, request, person);
          return admitUnchanged(context, inUse, () =>
            admit(context, inUse, request, person, purpose, origin, (user) => {
              who = { user, external };
            }),
          );
        });
        return { location: answerLocation(loopback, "response", answer, context.random), clearCookie };
      } catch (thrown) {
        const { message, code, hint, id } = await refuse(kind, request, who, thrown, origin);
        const failure: LoginFailure = { message, code, ...(hint === undefined ? {} : { hint }), ...(id === undefined ? {} : { id }) };
        return { location: answerLocation(loopback, "error", failure, context.random), clearCookie };
      }
    },
  };
}
