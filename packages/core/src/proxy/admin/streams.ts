import { GatehouseError } from "../../base/index.ts";
import type { Caller } from "../../auth/index.ts";

/** How long a reader may take for one piece, ms; then it is cut, so that none lags for ever. */
const slow = 30_000;

/** How often it is looked at whether a reader may still read, ms. */
const recheck = 1000;

/** Whom a caller is counted and audited as. */
export function nameOf(caller: Caller): string {
  return caller.type === "person" ? caller.identity.username : "local-admin";
}

/** Places for streams that stay open, so many in all and so many a person. */
export interface Slots {
  /** Takes a place; returns how to give it back, which may be called more than once. Throws `limit_exceeded`. */
  take(who: string): () => void;
}

/** `what` ends the sentence of the refusal: "so many … already". */
export function createSlots(limits: { readonly total: number; readonly each: number; readonly what: string }): Slots {
  const { total, each, what } = limits;
  const taken = new Map<string, number>();
  let all = 0;
  return {
    take(who) {
      const mine = taken.get(who) ?? 0;
      if (mine >= each) throw new GatehouseError("limit_exceeded", `you have ${each} ${what} already`, { hint: "end one of them, or try again later" });
      if (all >= total) throw new GatehouseError("limit_exceeded", `there are ${total} ${what} on this gateway already`, { hint: "try again later" });
      all += 1;
      taken.set(who, mine + 1);
      let given = false;
      return () => {
        if (given) return;
        given = true;
        all -= 1;
        const left = (taken.get(who) ?? 1) - 1;
        if (left === 0) taken.delete(who);
        else taken.set(who, left);
      };
    },
  };
}

/** Gives `source` on, and calls `late` when a piece is not taken in time. */
export async function* inTime<T>(source: AsyncIterable<T>, late: () => void, limit = slow): AsyncGenerator<T, void, void> {
  for await (const piece of source) {
    const timer = setTimeout(late, limit).unref();
    try {
      yield piece;
    } finally {
      clearTimeout(timer);
    }
  }
}

/** Asks once a second whether a stream may go on, and calls `cut` where it may not, or where the question throws. Returns how to stop. */
export function whileAllowed(allowed: () => boolean, cut: () => void): () => void {
  const timer = setInterval(() => {
    try {
      if (allowed()) return;
    } catch {
      // Logged out, locked, removed: whatever it is, it ends here as it would at the next request.
    }
    cut();
  }, recheck).unref();
  return () => clearInterval(timer);
}
