import { escapeText } from "../../base/index.ts";
import type { GatehouseError } from "../../base/index.ts";
import type { StreamEnd } from "../../formats/index.ts";

/** A refusal as a Kubernetes client understands it. */
export interface Failure extends StreamEnd {
  /** Name of the lock that refuses, for the audit event. */
  readonly lock?: string | undefined;
}

/** Kubernetes' own reasons where it has one for the status; the HTTP phrase in its style elsewhere. */
const reasons: Readonly<Record<number, string>> = {
  400: "BadRequest",
  401: "Unauthorized",
  403: "Forbidden",
  404: "NotFound",
  405: "MethodNotAllowed",
  408: "Timeout",
  413: "RequestEntityTooLarge",
  421: "MisdirectedRequest",
  429: "TooManyRequests",
  431: "RequestHeaderFieldsTooLarge",
  500: "InternalError",
  502: "BadGateway",
  503: "ServiceUnavailable",
  504: "Timeout",
};

/** A {@link Failure} of this status. Clients print the message as it is, on terminals. */
export function failure(code: number, message: string, lock?: string): Failure {
  const why = { code, reason: reasons[code] ?? "InternalError", message: escapeText(message) };
  return lock === undefined ? why : { ...why, lock };
}

/** What a thrown error says to the client; anything that is not about the person or the request stays vague. */
export function failureOf(error: GatehouseError): Failure {
  if (error.code === "internal") return failure(500, "the gateway could not decide this request");
  const lock: unknown = "lock" in error ? error.lock : undefined;
  return failure(error.status, error.hint === undefined ? error.message : `${error.message}; ${error.hint}`, typeof lock === "string" ? lock : undefined);
}

/** A refusal on its way to the one place that writes it down and answers. */
export class Refusal extends Error {
  override readonly name = "Refusal";
  readonly failure: Failure;

  constructor(code: number, message: string, lock?: string) {
    super(message);
    this.failure = failure(code, message, lock);
  }
}
