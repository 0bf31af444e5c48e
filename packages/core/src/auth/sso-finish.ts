import { headlessDecisionPath, type LoginFailure } from "../api/index.ts";
import { auditEvents, userLogin, type AuditEventInput } from "../audit/index.ts";
import { GatehouseError, errorMessage, refusalId, toGatehouseError } from "../base/index.ts";
import { PinMismatch } from "../connectors/index.ts";
import type { Context } from "./context.ts";
import { Locked } from "./locks.ts";
import { answerLocation, parseLoopback } from "./loopback.ts";
import { digest } from "./records.ts";
import { admit, admitUnchanged, vouchFor, type VouchedPerson } from "./sso-admit.ts";
import { cookieName, equalTexts, findRequest, spendRequest, unknownLogin, type SsoRequest } from "./sso-request.ts";
import { explainLogin } from "./sso-test.ts";
import { withProvider } from "./sso-under-way.ts";
import { NameTaken } from "./sso-user.ts";
import type { LoginCookie, Logins, RequestOrigin } from "./types.ts";

type FinishRequest = Parameters<Logins["finishSso"]>[0];

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

/** Gives the browser of somebody who is vouched for the right to decide about a login elsewhere; `known` is told their user name before anything of theirs is refused. */
type Approver = (request: string, vouched: VouchedPerson, known: (user: string) => void, origin: RequestOrigin) => Promise<{ readonly cookie: LoginCookie }>;

/** Where the browser goes from a login that worked. */
interface Destination {
  readonly location: string;
  readonly cookie?: LoginCookie;
}

/** The last step of a login through a connector. */
export function createSsoFinish(context: Context, approver: Approver): Pick<Logins, "finishSso"> {
  const answered = ({ secret }: SsoRequest, parameter: "response" | "error", answer: unknown): Destination => ({ location: answerLocation(parseLoopback(secret.clientRedirectUrl ?? ""), parameter, answer, context.random) });

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
      const clearCookie = cookieName(state ?? "");
      const { callbackUrl, purpose } = request.record;
      let who: Person | undefined;
      try {
        checkBrowser(request, state ?? "", cookies);
        const destination = await withProvider(context, request, async (inUse) => {
          const person = await inUse.provider.authenticate({ state: state ?? "", codeVerifier: request.secret.verifier, callbackUrl, parameters });
          const external = person.name;
          who = { user: external, external };
          const known = (user: string): void => {
            who = { user, external };
          };
          if (purpose.type === "test") return answered(request, "response", await explainLogin(context, request, person));
          return admitUnchanged(context, inUse, async (): Promise<Destination> => {
            const vouched = await vouchFor(context, inUse, person);
            if (purpose.type === "certificates") return answered(request, "response", await admit(context, vouched, purpose, origin, known));
            return { ...(await approver(purpose.request, vouched, known, origin)), location: headlessDecisionPath(purpose.request) };
          });
        });
        return { ...destination, clearCookie };
      } catch (thrown) {
        const refused = await refuse(kind, request, who, thrown, origin);
        // No terminal waits for it: the browser is told.
        if (purpose.type === "headless") throw refused;
        const { message, code, hint, id } = refused;
        const failure: LoginFailure = { message, code, ...(hint === undefined ? {} : { hint }), ...(id === undefined ? {} : { id }) };
        return { ...answered(request, "error", failure), clearCookie };
      }
    },
  };
}
