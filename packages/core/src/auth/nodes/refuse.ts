import { GatehouseError, errorMessage, refusalId, toGatehouseError } from "../../base/index.ts";
import type { EventFields } from "../../audit/index.ts";
import { JoinRefused } from "../../connectors/index.ts";
import type { Context } from "../context.ts";

/** Records that a host was refused; returns what it is told. The refusal stands even where the log cannot be written: nothing was granted. */
export async function refuseHost(context: Context, event: { readonly event: string; readonly code: string }, fields: EventFields, thrown: unknown): Promise<GatehouseError> {
  const error = toGatehouseError(thrown);
  const id = error.id ?? refusalId(context.random);
  const rule = thrown instanceof JoinRefused ? thrown.rule : undefined;
  context.logger.warn({ id, event: event.event, rule, error: error.message, cause: error.cause === undefined ? undefined : errorMessage(error.cause) }, "a host was refused");
  try {
    await context.audit.emit({ ...fields, ...event, success: false, rule, error: error.message, id });
  } catch (auditError) {
    context.logger.error({ id, error: errorMessage(auditError) }, "a refused host could not be audited");
  }
  return new GatehouseError(error.code, error.message, { hint: error.hint, id, cause: error.cause });
}
