/** For tests alone: logins through {@link startIssuer}. */
import { randomBytes } from "node:crypto";
import { GatehouseError, systemClock, type Clock } from "../../../base/index.ts";
import type { OidcConnector } from "../../../resources/index.ts";
import type { LoginRequest, Provider, ProviderTimeouts, Vouched } from "../../types.ts";
import type { Google } from "../options.ts";
import { createOidcProvider } from "../provider.ts";
import { startIssuer, type Issuer, type Script } from "./issuer.ts";

export { createSigningKey, signToken, startIssuer } from "./issuer.ts";
export type { Fault, Issuer, Json, Route, Script } from "./issuer.ts";

/** The beginning of a login. */
export function loginRequest(): LoginRequest {
  return { state: randomBytes(32).toString("base64url"), codeVerifier: randomBytes(32).toString("base64url"), callbackUrl: "https://gateway.example/v1/webapi/oidc/callback" };
}

/** All of a login, with a browser that does nothing but go where it is sent. */
export async function logIn(provider: Provider, issuer: Issuer, request: LoginRequest = loginRequest()): Promise<Vouched> {
  const parameters = issuer.authorize(await provider.authorizeUrl(request));
  return provider.authenticate({ ...request, parameters });
}

/** How a trial goes. */
export interface Trial {
  readonly spec?: Partial<OidcConnector["spec"]>;
  readonly script?: Script;
  readonly person?: Record<string, unknown>;
  readonly clock?: Clock;
  readonly google?: (issuer: Issuer) => Google;
  readonly timeouts?: ProviderTimeouts;
}

/** Runs `work` with an issuer and a provider for it, and ends both. */
export async function withIssuer<T>(trial: Trial, work: (issuer: Issuer, provider: Provider) => Promise<T>): Promise<T> {
  const clock = trial.clock ?? systemClock;
  const issuer = await startIssuer(() => clock.now());
  if (trial.script) issuer.script = trial.script;
  if (trial.person) issuer.person = trial.person;
  const provider = createOidcProvider(issuer.connector(trial.spec), { clock, timeouts: trial.timeouts ?? { request: 5_000, login: 15_000 }, google: trial.google?.(issuer) });
  try {
    return await work(issuer, provider);
  } finally {
    await provider.close();
    await issuer.close();
  }
}

/** One login through a provider that does as the script says. */
export function attempt(script: Script, trial: Omit<Trial, "script"> = {}): Promise<Vouched> {
  return withIssuer({ ...trial, script }, (issuer, provider) => logIn(provider, issuer));
}

/** What something failed with; throws where it did not fail, or with anything but a {@link GatehouseError}. */
export async function refusalOf(work: Promise<unknown>): Promise<GatehouseError> {
  try {
    await work;
  } catch (error) {
    if (error instanceof GatehouseError) return error;
    throw error;
  }
  throw new Error("it was not refused");
}

/** What one login through a provider that does as the script says is refused with. */
export const refusal = (script: Script, trial: Omit<Trial, "script"> = {}): Promise<GatehouseError> => refusalOf(attempt(script, trial));

/** The refusal as it is compared: its code, and its message. */
export async function refused(script: Script, trial: Omit<Trial, "script"> = {}): Promise<string> {
  const { code, message } = await refusal(script, trial);
  return `${code}: ${message}`;
}
