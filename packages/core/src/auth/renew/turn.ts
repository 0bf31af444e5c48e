import type { RenewalRecord } from "../records.ts";

/** ms in which whoever has the generation before the newest may ask again: the answer was lost on its way. */
export const repeatTime = 60_000;

/**
 * What a certificate's generation means for a renewal: `next`, it is the newest; `again`, it is the one before, whose answer may have been lost; `replayed`, somebody has
 * renewed it since, so there are two copies of the login; `unknown`, the session never had it (a store that was restored from a copy).
 */
export type Turn = "next" | "again" | "replayed" | "unknown";

export function turnOf({ generation, at }: Pick<RenewalRecord, "generation" | "at">, brought: number, now: number): Turn {
  if (brought === generation) return "next";
  if (brought > generation) return "unknown";
  return brought === generation - 1 && at !== undefined && now - at <= repeatTime ? "again" : "replayed";
}
