import { userLogin } from "../audit/index.ts";
import { GatehouseError, errorMessage, refusalId, toGatehouseError } from "../base/index.ts";
import { parseResource, type User } from "../resources/index.ts";
import type { Context } from "./context.ts";
import { checkRequest, issueSession } from "./issue.ts";
import { Locked } from "./locks.ts";
import { createLockout } from "./lockout.ts";
import { preferenceName } from "./bootstrap.ts";
import { identityRecord, kinds, passwordRecord, readRecord } from "./records.ts";
import { readUser } from "./stored-resources.ts";
import type { Logins } from "./types.ts";
import { endOf, refuseLocked } from "./users.ts";

type LocalRequest = Parameters<Logins["local"]>[0];

const maxUserName = 256;

/** Whoever may prove to be the user by this password. */
interface Candidate {
  readonly user: User;
  readonly subject: string;
  readonly passwordHash: string;
  readonly passwordRevision: number;
  readonly identityRevision: number;
}

/** The local user of this name, if there is one with a password. */
async function findCandidate(context: Context, name: string): Promise<Candidate | undefined> {
  const { store } = context;
  const [user, identity, password] = await Promise.all([store.get("user", name), store.get(kinds.identity, name), store.get(kinds.password, name)]);
  if (!user || !identity || password?.secret === undefined) return undefined;
  const { subject } = readRecord(identityRecord, identity);
  if (!subject.startsWith("local:")) return undefined;
  readRecord(passwordRecord, password);
  return { user: readUser(user), subject, passwordHash: password.secret, passwordRevision: password.revision, identityRevision: identity.revision };
}

/** Logins by password (reference §1.6). */
export function createLocalLogin(context: Context): Pick<Logins, "local"> {
  const lockout = createLockout(context.store, context.clock, context.random);

  async function checkPreference(): Promise<void> {
    const item = await context.store.get("cluster_auth_preference", preferenceName);
    const preference = item && parseResource(JSON.parse(item.value));
    if (preference?.kind !== "cluster_auth_preference") throw new GatehouseError("internal", "the cluster's auth preference is missing");
    const { second_factor: factor } = preference.spec;
    if (factor !== "off") {
      throw new GatehouseError("not_implemented", `second factor "${factor}" is not available in this release, so nobody can log in with a password`, {
        hint: "log in through a connector, or set auth_service.authentication.second_factor: off in the gateway's configuration",
      });
    }
  }

  async function prove(name: string, password: string): Promise<Candidate> {
    const candidate = name.length > maxUserName ? undefined : await findCandidate(context, name);
    await lockout.begin(name, candidate !== undefined);
    const matches = await context.passwords.verify(candidate?.passwordHash, password);
    if (!matches || !candidate) throw new GatehouseError("access_denied", "invalid username or password");
    await lockout.succeeded(name);
    return candidate;
  }

  async function logIn(request: LocalRequest) {
    checkRequest(request);
    await checkPreference();
    const { user, subject, passwordRevision, identityRevision } = await prove(request.user, request.password);
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
      // A password that was reset, or a user who was removed, while this went on lets nobody in.
      alongside: () => [
        { op: "check", kind: "user", name, expect: "present" },
        { op: "check", kind: kinds.identity, name, expect: identityRevision },
        { op: "check", kind: kinds.password, name, expect: passwordRevision },
      ],
    });
  }

  return {
    async local(request) {
      try {
        return await logIn(request);
      } catch (thrown) {
        const error = toGatehouseError(thrown);
        const id = refusalId(context.random);
        try {
          await context.audit.emit(userLogin({ method: "local", user: request.user.slice(0, maxUserName), error: error.message, id, origin: request.origin, fields: error instanceof Locked ? { lock: error.lock } : undefined }));
        } catch (auditError) {
          context.logger.error({ id, error: errorMessage(auditError) }, "a refused login could not be audited");
        }
        throw new GatehouseError(error.code, error.message, { hint: error.hint, id, cause: error.cause });
      }
    },
  };
}
