import { GatehouseError } from "../../base/index.ts";

/** Which rule a job's JWT, or a token, did not satisfy: `audience`, `expired`, `allow[0].repository`, … */
export class JoinRefused extends GatehouseError {
  readonly rule: string;

  constructor(rule: string, message: string, options: { readonly hint?: string | undefined; readonly cause?: unknown } = {}) {
    super("access_denied", message, options);
    this.rule = rule;
  }
}
