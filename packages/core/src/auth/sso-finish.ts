import { headlessDecisionPath } from "../api/index.ts";
import { GatehouseError } from "../base/index.ts";
import type { Context } from "./context.ts";
import { answerLocation, parseLoopback } from "./loopback.ts";
import { digest } from "./records.ts";
import { admit, admitUnchanged, vouchFor, type VouchedPerson } from "./sso-admit.ts";
import { cookieName, equalTexts, findRequest, isState, spendRequest, unknownLogin, type SsoRequest } from "./sso-request.ts";
import { createSsoRefusal, type SsoPerson } from "./sso-refusal.ts";
import { explainLogin } from "./sso-test.ts";
import { withProvider } from "./sso-under-way.ts";
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

/** Gives the browser of somebody who is vouched for the right to decide about a login elsewhere; `known` is told their user name before anything of theirs is refused. */
type Approver = (request: string, vouched: VouchedPerson, known: (user: string) => void, origin: RequestOrigin) => Promise<{ readonly cookie: LoginCookie }>;

/** Where the browser goes from a login that worked. */
interface Destination {
  readonly location: string;
  readonly cookie?: LoginCookie;
}

/** The last step of a login through a connector. */
export function createSsoFinish(context: Context, approver: Approver): Pick<Logins, "finishSso"> {
  const { refuse, tellTerminal } = createSsoRefusal(context);
  const answered = ({ secret }: SsoRequest, answer: unknown): Destination => ({ location: answerLocation(parseLoopback(secret.clientRedirectUrl ?? ""), "response", answer, context.random) });

  return {
    async finishSso({ kind, parameters, cookies, origin }) {
      const state = kind === "saml" ? parameters["RelayState"] : parameters["state"];
      let request: SsoRequest;
      try {
        if (kind === "saml" && !isState(state)) {
          throw new GatehouseError("access_denied", "a login that begins at the identity provider is not supported", { hint: "begin in a terminal: tsh login" });
        }
        request = await findRequest(context, state);
        if (request.record.kind !== kind) throw unknownLogin();
        await spendRequest(context, request);
      } catch (error) {
        throw await refuse(kind, undefined, undefined, error, origin);
      }
      const clearCookie = cookieName(state ?? "");
      const { callbackUrl, purpose } = request.record;
      let who: SsoPerson | undefined;
      try {
        checkBrowser(request, state ?? "", cookies);
        const destination = await withProvider(context, request, async (inUse) => {
          const person = await inUse.provider.authenticate({ state: state ?? "", codeVerifier: request.secret.verifier, callbackUrl, parameters });
          const external = person.name;
          who = { user: external, external };
          const known = (user: string): void => {
            who = { user, external };
          };
          if (purpose.type === "test") return answered(request, await explainLogin(context, request, inUse.connector, person));
          return admitUnchanged(context, inUse, async (): Promise<Destination> => {
            const vouched = await vouchFor(context, inUse, person);
            if (purpose.type === "certificates") return answered(request, await admit(context, vouched, purpose, origin, known));
            return { ...(await approver(purpose.request, vouched, known, origin)), location: headlessDecisionPath(purpose.request) };
          });
        });
        return { ...destination, clearCookie };
      } catch (thrown) {
        return { location: await tellTerminal(request, who, thrown, origin), clearCookie };
      }
    },
  };
}
