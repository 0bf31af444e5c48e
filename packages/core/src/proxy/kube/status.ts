import type { GatehouseError } from "../../base/index.ts";
import type { StreamEnd } from "../../formats/index.ts";
import { refusalStatus } from "../../relay/index.ts";

/** A refusal as a Kubernetes client understands it. */
export interface Failure extends StreamEnd {
  /** Name of the lock that refuses, for the audit event. */
  readonly lock?: string | undefined;
}

/** A {@link Failure} of this status. */
export function failure(code: number, message: string, lock?: string): Failure {
  const why = refusalStatus(code, message);
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
