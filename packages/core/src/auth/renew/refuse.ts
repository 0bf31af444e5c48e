import { auditEvents, type EventFields } from "../../audit/index.ts";
import { GatehouseError, errorMessage, refusalId, toGatehouseError } from "../../base/index.ts";
import type { CertificateIdentity } from "../../ca/index.ts";
import type { Context } from "../context.ts";
import { Stale } from "../gatekeeper.ts";
import { Locked } from "../locks.ts";
import type { RequestOrigin } from "../types.ts";

/** The login is in two hands: somebody has renewed the certificate that was brought. */
export class Replayed extends GatehouseError {
  /** Generation of the newest certificates. */
  readonly newest: number;

  constructor(newest: number) {
    super("unauthenticated", "this login was renewed since from another copy of it, so its session was ended for everybody who has one", {
      hint: "log in again: tsh login; if you did not copy the login to another place, tell an administrator",
    });
    this.newest = newest;
  }
}

/** Audits a refusal, and returns it with the id that the audit log has. It stands even where the log cannot be written: nothing was granted. */
export async function refuse(context: Context, certificate: CertificateIdentity, origin: RequestOrigin, thrown: unknown): Promise<GatehouseError> {
  const error = thrown instanceof Stale ? new GatehouseError("unavailable", thrown.message, { hint: thrown.hint, cause: thrown }) : toGatehouseError(thrown);
  const id = error.id ?? refusalId(context.random);
  const ended: EventFields = thrown instanceof Replayed ? { ...auditEvents.loginReplayed, newest: thrown.newest } : auditEvents.certRenewFailed;
  try {
    await context.audit.emit({
      ...auditEvents.certRenewFailed,
      ...ended,
      user: certificate.username,
      session: certificate.sessionId,
      subject: certificate.subjectId,
      generation: certificate.generation,
      success: false,
      error: error.message,
      lock: thrown instanceof Locked ? thrown.lock : undefined,
      id,
      "addr.remote": origin.remoteAddress,
    });
  } catch (auditError) {
    context.logger.error({ id, error: errorMessage(auditError) }, "a refused renewal could not be audited");
  }
  return new GatehouseError(error.code, error.message, { hint: error.hint, id, cause: error.cause });
}
