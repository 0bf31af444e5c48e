import { errorMessage, type Logger } from "../../base/index.ts";

/** What was opened, to be closed in the opposite order. */
export interface Cleanup {
  /** Remembers how to undo what was just done. */
  add(what: string, close: () => void | Promise<void>): void;
  /** Closes everything, each in turn whatever the others do; throws the first failure at the end. */
  run(): Promise<void>;
}

/** An empty {@link Cleanup}. */
export function createCleanup(logger: Logger): Cleanup {
  const steps: { readonly what: string; readonly close: () => void | Promise<void> }[] = [];
  return {
    add: (what, close) => {
      steps.push({ what, close });
    },
    async run() {
      const failures: unknown[] = [];
      for (let step = steps.pop(); step; step = steps.pop()) {
        try {
          await step.close();
        } catch (error) {
          logger.error({ error: errorMessage(error), what: step.what }, "closing failed");
          failures.push(error);
        }
      }
      if (failures.length > 0) throw failures[0];
    },
  };
}
