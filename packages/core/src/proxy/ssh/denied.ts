import type { Reason } from "../../access/index.ts";
import { GatehouseError, type ErrorCode } from "../../base/index.ts";

/** What {@link Denied} knows besides. */
export interface DeniedOptions {
  readonly hint?: string | undefined;
  /** The role, or the lock, that refuses. */
  readonly reason?: Reason | undefined;
  /** For the log alone. */
  readonly detail?: string | undefined;
}

/** A refusal on its way to the place that writes it down and tells it. `rule` names what failed, for the audit log: `node`, `source_addresses`, … */
export class Denied extends GatehouseError {
  readonly rule: string;
  readonly reason: Reason | undefined;
  readonly detail: string | undefined;

  constructor(code: ErrorCode, rule: string, message: string, options: DeniedOptions = {}) {
    super(code, message, { hint: options.hint });
    this.rule = rule;
    this.reason = options.reason;
    this.detail = options.detail;
  }
}
