import { GatehouseError } from "./errors.ts";

/** Lets some run and some wait. */
export interface Gate {
  /** Runs `work` when it is its turn. Throws `limit_exceeded` where too many wait already. */
  run<T>(work: () => Promise<T>): Promise<T>;
}

/** A gate for `running` at once and `waiting` behind them; `what` ends the sentence of the refusal. */
export function createGate(limit: { readonly running: number; readonly waiting: number; readonly what: string }): Gate {
  const queue: (() => void)[] = [];
  let running = 0;
  return {
    async run(work) {
      if (running < limit.running) running += 1;
      else {
        if (queue.length >= limit.waiting) throw new GatehouseError("limit_exceeded", `there are too many ${limit.what} at once`, { hint: "try again in a moment" });
        // Whoever leaves hands its place on.
        await new Promise<void>((resolve) => queue.push(resolve));
      }
      try {
        return await work();
      } finally {
        const next = queue.shift();
        if (next) next();
        else running -= 1;
      }
    },
  };
}
