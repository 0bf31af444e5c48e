import { auditEvents } from "../../audit/index.ts";
import { GatehouseError, errorMessage, refusalId, type ErrorCode } from "../../base/index.ts";
import type { Context } from "../context.ts";
import { changeRequest, freeSlot, type HeadlessRequest } from "./record.ts";

/** A refusal to be: audited, and told with the id that the audit log has. */
export interface Refusal {
  readonly code: ErrorCode;
  readonly message: string;
  readonly hint?: string | undefined;
  /** Who was at the browser, where that is known. */
  readonly by?: string | undefined;
  /** `ip:port` of the browser. */
  readonly address: string;
  /** Ends the request: the terminal is told the same. */
  readonly final: boolean;
}

/** What every event about a request says of it. */
export function requestFields({ id, record }: Pick<HeadlessRequest, "id" | "record">) {
  return { user: record.user, request: id, host: record.host, command: record.command, "addr.terminal": record.address };
}

/** Refuses, and ends the request where that is final. Returns the error to throw. It stands even where the log cannot be written: nothing was granted. */
export async function refuse(context: Context, request: HeadlessRequest, { code, message, hint, by, address, final }: Refusal): Promise<GatehouseError> {
  const id = refusalId(context.random);
  if (final) {
    try {
      await context.store.transact([changeRequest(request, { outcome: { state: "refused", reason: message, id } }), freeSlot(request)]);
    } catch (error) {
      // Somebody else has decided meanwhile; what they decided is not undone.
      if (!(error instanceof GatehouseError && ["compare_failed", "not_found"].includes(error.code))) throw error;
    }
  }
  try {
    await context.audit.emit({ ...auditEvents.headlessRefuse, ...requestFields(request), by, error: message, id, "addr.remote": address });
  } catch (error) {
    context.logger.error({ id, error: errorMessage(error) }, "a refused login could not be audited");
  }
  return new GatehouseError(code, message, { hint, id });
}
