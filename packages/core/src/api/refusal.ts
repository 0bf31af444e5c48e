import { GatehouseError, codeForStatus, isErrorCode } from "../base/index.ts";

/** The error that an answer tells, in either of v3's shapes (reference §1.4) or ours. */
export function refusalOf(response: { readonly status: number; readonly body: string }): GatehouseError {
  let message = `the gateway answered ${response.status}`;
  let code = codeForStatus(response.status);
  let hint: string | undefined;
  let id: string | undefined;
  try {
    const body = JSON.parse(response.body) as { message?: unknown; error?: { message?: unknown }; code?: unknown; hint?: unknown; id?: unknown };
    const text = body.message ?? body.error?.message;
    if (typeof text === "string" && text !== "") message = text;
    // A status of v3's may be coarser than what happened.
    if (typeof body.code === "string" && isErrorCode(body.code)) code = body.code;
    if (typeof body.hint === "string") hint = body.hint;
    if (typeof body.id === "string") id = body.id;
  } catch {
    // A body that is not JSON has no message to give; the status alone decides.
  }
  return new GatehouseError(code, message, { hint, id });
}
