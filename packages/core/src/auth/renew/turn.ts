import type { RenewalRecord } from "../records.ts";

/** ms in which whoever has the generation before the newest may ask again, whether that was used or not. */
export const repeatTime = 60_000;

/**
 * What a certificate's generation means for a renewal: `next`, it is the newest; `again`, it is the one before, and the answer may have been lost: it was given just now, or nobody has used it
 * (a machine that fell asleep or crashed on the way); `replayed`, somebody has renewed it since, so there are two copies of the login; `unknown`, the session never had it (a store
 * that was restored from a copy). Two copies that both go on from one generation differ at their next renewal at the latest.
 */
export type Turn = "next" | "again" | "replayed" | "unknown";

export function turnOf({ generation, at }: Pick<RenewalRecord, "generation" | "at">, brought: number, { now, newestUsed }: { readonly now: number; readonly newestUsed: number }): Turn {
  if (brought === generation) return "next";
  if (brought > generation) return "unknown";
  if (brought < generation - 1) return "replayed";
  return newestUsed < generation || (at !== undefined && now - at <= repeatTime) ? "again" : "replayed";
}
