import type { ErrorBody } from "../../api/index.ts";
import { GatehouseError, refusalId, type Logger, type Random } from "../../base/index.ts";

/** HTTP status of an error; a body over its limit is 413, which no error code has. */
export function errorStatus(error: GatehouseError): number {
  return codeOf(error.cause) === "FST_ERR_CTP_BODY_TOO_LARGE" ? 413 : error.status;
}

/** An error in both shapes of reference §1.4, with what we add. */
export function errorBody(error: GatehouseError): ErrorBody {
  return {
    message: error.message,
    error: { message: error.message },
    code: error.code,
    ...(error.hint === undefined ? {} : { hint: error.hint }),
    ...(error.id === undefined ? {} : { id: error.id }),
  };
}

function codeOf(thrown: unknown): string | undefined {
  return thrown instanceof Error && "code" in thrown && typeof thrown.code === "string" ? thrown.code : undefined;
}

/**
 * Anything thrown while a request was handled, as it may be told to the caller. What nobody foresaw is logged in full under an id,
 * and the caller gets the id alone.
 */
export function publicError(thrown: unknown, context: { readonly logger: Logger; readonly random: Random; readonly where: string }): GatehouseError {
  if (thrown instanceof GatehouseError) {
    if (thrown.code !== "internal") return thrown;
  } else if (codeOf(thrown)?.startsWith("FST_ERR_CTP_") === true || (thrown instanceof SyntaxError && "statusCode" in thrown && thrown.statusCode === 400)) {
    return new GatehouseError("bad_parameter", `request: ${thrown instanceof Error ? thrown.message : "malformed body"}`, { cause: thrown });
  } else if (thrown instanceof Error && "statusCode" in thrown && typeof thrown.statusCode === "number" && thrown.statusCode >= 400 && thrown.statusCode < 500) {
    return new GatehouseError("bad_parameter", `request: ${thrown.message}`, { cause: thrown });
  }
  const id = (thrown instanceof GatehouseError ? thrown.id : undefined) ?? refusalId(context.random);
  context.logger.error({ err: thrown, id, where: context.where }, "a request failed for a reason of our own");
  return new GatehouseError("internal", "the gateway failed to answer this request", { id, hint: `an administrator finds the cause in the gateway's log as ${id}` });
}
