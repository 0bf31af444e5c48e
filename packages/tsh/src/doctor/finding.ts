import { GatehouseError, errorMessage } from "@gatehouse/core/base";

/** How a check came out. `skipped`: there was nothing to look at, and why. */
export type Outcome = "ok" | "warning" | "failed" | "skipped";

/** What one check found. */
export interface Finding {
  readonly check: string;
  readonly outcome: Outcome;
  readonly detail: string;
  /** What to run or to do about it. */
  readonly fix?: string | undefined;
  /** Logging in is all that it takes. */
  readonly login?: true;
}

/** A finding without the name of its check. */
export type Found = Omit<Finding, "check">;

export const ok = (detail: string): Found => ({ outcome: "ok", detail });
export const warning = (detail: string, fix?: string): Found => ({ outcome: "warning", detail, fix });
export const failed = (detail: string, fix?: string): Found => ({ outcome: "failed", detail, fix });
export const skipped = (detail: string): Found => ({ outcome: "skipped", detail });
export const loginNeeded = (detail: string, fix: string): Found => ({ outcome: "failed", detail, fix, login: true });

/** What was thrown by a check, as what it found. */
export function thrownBy(error: unknown): Found {
  const fix = error instanceof GatehouseError ? error.hint : undefined;
  return { outcome: "failed", detail: errorMessage(error), fix, ...(error instanceof GatehouseError && error.code === "unauthenticated" ? { login: true as const } : {}) };
}

/** Runs a check for at most `limit` ms; what it throws, or takes longer for, is what it found. */
export async function checked(check: string, limit: number, work: () => Promise<Found>): Promise<Finding> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<Found>((resolve) => {
    timer = setTimeout(() => resolve(failed(`no answer within ${limit / 1000} s`, "try again; if it stays so, what is asked hangs")), limit);
  });
  try {
    return { check, ...(await Promise.race([work(), late])) };
  } catch (error) {
    return { check, ...thrownBy(error) };
  } finally {
    clearTimeout(timer);
  }
}
