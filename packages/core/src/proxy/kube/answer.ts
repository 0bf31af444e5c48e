import { failure } from "./status.ts";

/** The answer where the audit event could not be written. */
export const unaudited = failure(500, "the gateway cannot write its audit log and lets nothing pass without it");
