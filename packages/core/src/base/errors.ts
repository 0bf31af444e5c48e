/**
 * What went wrong, in the terms a caller decides by. Each code maps to one HTTP status and one exit code.
 */
export type ErrorCode =
  | "usage"
  | "bad_parameter"
  | "unauthenticated"
  | "access_denied"
  | "not_found"
  | "already_exists"
  | "compare_failed"
  | "limit_exceeded"
  | "not_implemented"
  | "unavailable"
  | "internal";

interface CodeMapping {
  readonly status: number;
  readonly exitCode: number;
}

/** HTTP statuses follow Teleport v3 (reference §1.4); exit codes: 0 ok, 1 failed, 2 usage, 3 not logged in, 4 denied, 5 not found, 6 conflict, 7 unreachable. */
const mappings: Readonly<Record<ErrorCode, CodeMapping>> = {
  usage: { status: 400, exitCode: 2 },
  bad_parameter: { status: 400, exitCode: 1 },
  unauthenticated: { status: 401, exitCode: 3 },
  access_denied: { status: 403, exitCode: 4 },
  not_found: { status: 404, exitCode: 5 },
  already_exists: { status: 409, exitCode: 6 },
  compare_failed: { status: 412, exitCode: 6 },
  limit_exceeded: { status: 429, exitCode: 1 },
  not_implemented: { status: 501, exitCode: 1 },
  unavailable: { status: 504, exitCode: 7 },
  internal: { status: 500, exitCode: 1 },
};

/** Optional parts of a {@link GatehouseError}. */
export interface ErrorOptions {
  /** What the person can do about it: one line, no full stop. */
  readonly hint?: string | undefined;
  /** Refusal id that the audit event carries too. */
  readonly id?: string | undefined;
  readonly cause?: unknown;
}

/** On every {@link GatehouseError}: commands begin in a bundle that has a copy of the class of its own. */
const mark = Symbol.for("gatehouse.error");

/** The one error of the project: a code to decide by, a message for people, an optional hint and refusal id. One of another copy of this class is an instance too. */
export class GatehouseError extends Error {
  override readonly name = "GatehouseError";
  readonly code: ErrorCode;
  readonly hint: string | undefined;
  readonly id: string | undefined;

  constructor(code: ErrorCode, message: string, options: ErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.hint = options.hint;
    this.id = options.id;
  }

  static override [Symbol.hasInstance](thrown: unknown): boolean {
    return this === GatehouseError ? typeof thrown === "object" && thrown !== null && mark in thrown : Function.prototype[Symbol.hasInstance].call(this, thrown);
  }

  get [mark](): true {
    return true;
  }

  /** HTTP status of the code. */
  get status(): number {
    return mappings[this.code].status;
  }

  /** Process exit code of the code. */
  get exitCode(): number {
    return mappings[this.code].exitCode;
  }
}

/** The error code whose HTTP status this is; unknown 4xx become `bad_parameter`, 502–504 `unavailable`, the rest `internal`. */
export function codeForStatus(status: number): ErrorCode {
  if (status === 400) return "bad_parameter";
  for (const [code, mapping] of Object.entries(mappings)) {
    if (mapping.status === status) return code as ErrorCode;
  }
  if (status >= 502 && status <= 504) return "unavailable";
  return status >= 400 && status < 500 ? "bad_parameter" : "internal";
}

/** Whether a text is one of the error codes. */
export function isErrorCode(text: string): text is ErrorCode {
  return Object.hasOwn(mappings, text);
}

/** Anything thrown, as a {@link GatehouseError}; what is not one already becomes `internal` with the original as its cause. */
export function toGatehouseError(thrown: unknown): GatehouseError {
  if (thrown instanceof GatehouseError) return thrown;
  return new GatehouseError("internal", errorMessage(thrown), { cause: thrown });
}

/** The message of anything thrown; for an AggregateError without one, the messages it gathers. */
export function errorMessage(thrown: unknown): string {
  if (thrown instanceof AggregateError && thrown.message === "") {
    return thrown.errors.map((error) => errorMessage(error)).join("; ");
  }
  return thrown instanceof Error ? thrown.message : String(thrown);
}

/** The `code` of a Node system error (`ENOENT`, `ECONNREFUSED`, …), if it has one. */
export function systemErrorCode(thrown: unknown): string | undefined {
  if (thrown instanceof Error && "code" in thrown && typeof thrown.code === "string") return thrown.code;
  return undefined;
}

/** A failed write of a command's own output, for people. */
export function outputError(thrown: unknown): GatehouseError {
  const why = systemErrorCode(thrown) === "ENOSPC" ? "no space left" : errorMessage(thrown);
  return new GatehouseError("internal", `cannot write the output: ${why}`, { cause: thrown });
}

/** Why a file cannot be read, as the end of a sentence that begins with its path. */
export function fileProblem(thrown: unknown): string {
  switch (systemErrorCode(thrown)) {
    case "ENOENT":
    case "ENOTDIR":
      return "does not exist";
    case "EACCES":
    case "EPERM":
      return "cannot be read by this user";
    case "EISDIR":
      return "is a folder";
    default:
      return `cannot be read: ${errorMessage(thrown)}`;
  }
}
