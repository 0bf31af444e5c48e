import { userLogin } from "../audit/index.ts";
import { GatehouseError, errorMessage, refusalId, toGatehouseError } from "../base/index.ts";
import type { SshLoginResponse } from "../api/index.ts";
import type { Operation } from "../store/index.ts";
import type { Context } from "./context.ts";
import { checkRequest, issueSession } from "./issue.ts";
import { NotProved, maxUserName, type LocalProof, type Proved } from "./local-proof.ts";
import { Locked } from "./locks.ts";
import type { Policy, Proof } from "./mfa/index.ts";
import { readPolicy } from "./policy.ts";
import { kinds } from "./records.ts";
import type { Logins, RequestOrigin } from "./types.ts";
import { endOf, refuseLocked } from "./users.ts";

/** What a local user gets certificates for. */
export interface LocalLogin {
  readonly user: string;
  readonly password: string;
  readonly proof: Proof;
  readonly publicKey: string;
  /** ms. */
  readonly ttl: number;
  readonly compatibility: string;
  readonly origin: RequestOrigin;
  /** What else has to be written for it, or still be true. */
  readonly alongside?: readonly Operation[] | undefined;
  /** Id of the request that was approved in a browser elsewhere, where it was. */
  readonly headless?: string | undefined;
}

/** Starts the session of somebody who has proved who they are. */
export async function admitLocally(context: Context, request: Omit<LocalLogin, "password" | "proof">, proved: Omit<Proved, "passwordHash">): Promise<SshLoginResponse> {
  const { user, subject, passwordRevision, identityRevision } = proved;
  const now = context.clock.now();
  refuseLocked(user, now);
  const { name } = user.metadata;
  return issueSession(context, {
    username: name,
    subjectId: subject,
    roles: user.spec.roles,
    traits: user.spec.traits,
    publicKey: request.publicKey,
    ttl: Math.min(request.ttl, endOf(user) - now),
    compatibility: request.compatibility,
    method: "local",
    origin: request.origin,
    headless: request.headless,
    // A password that was reset, or a user who was removed, while this went on lets nobody in.
    alongside: () => [
      ...(request.alongside ?? []),
      { op: "check", kind: "user", name, expect: "present" },
      { op: "check", kind: kinds.identity, name, expect: identityRevision },
      { op: "check", kind: kinds.password, name, expect: passwordRevision },
    ],
  });
}

/** Records a refusal. It stands even where the log cannot be written: nothing was granted. */
async function refused(context: Context, request: Pick<LocalLogin, "user" | "origin">, thrown: unknown): Promise<GatehouseError> {
  const error = toGatehouseError(thrown);
  const id = refusalId(context.random);
  const fields = { lock: error instanceof Locked ? error.lock : undefined, second_factor: error instanceof NotProved ? error.reason : undefined };
  try {
    await context.audit.emit(userLogin({ method: "local", user: request.user.slice(0, maxUserName), error: error.message, id, origin: request.origin, fields }));
  } catch (auditError) {
    context.logger.error({ id, error: errorMessage(auditError) }, "a refused login could not be audited");
  }
  return new GatehouseError(error.code, error.message, { hint: error.hint, id, cause: error.cause });
}

/** Throws, before anybody is looked up, for a login that shows no second factor where everybody has to. */
function requireProof({ secondFactor }: Policy, proof: Proof): void {
  if (proof.code !== "" || proof.assertion || secondFactor === "off" || secondFactor === "optional") return;
  const hint = secondFactor === "otp" ? "type the code of your authenticator app, or a recovery code" : "touch your security key in the browser: tsh login --mfa=browser; a recovery code works here too";
  throw new GatehouseError("access_denied", "missing second factor", { hint });
}

/** A local user's login, whichever way it came: proved, audited, certificates. */
export async function logInLocally(context: Context, proof: LocalProof, request: LocalLogin): Promise<SshLoginResponse> {
  try {
    checkRequest(request);
    const policy = await readPolicy(context);
    requireProof(policy, request.proof);
    return await admitLocally(context, request, await proof.prove({ ...request, policy }));
  } catch (thrown) {
    throw await refused(context, request, thrown);
  }
}

/** Somebody who logs in to decide about a login elsewhere: proved, a refusal audited as of any login. */
export async function proveLocally(context: Context, proof: LocalProof, claim: Pick<LocalLogin, "user" | "password" | "proof" | "origin">): Promise<Proved> {
  try {
    const policy = await readPolicy(context);
    requireProof(policy, claim.proof);
    const proved = await proof.prove({ ...claim, policy });
    refuseLocked(proved.user, context.clock.now());
    return proved;
  } catch (thrown) {
    throw await refused(context, claim, thrown);
  }
}

/** Logins by password and second factor on the terminal (reference §1.6). */
export function createLocalLogin(context: Context, proof: LocalProof): Pick<Logins, "local"> {
  return { local: ({ otpToken, ...request }) => logInLocally(context, proof, { ...request, proof: { code: otpToken } }) };
}
