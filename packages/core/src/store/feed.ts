import { GatehouseError, errorMessage, type Clock, type Logger } from "../base/index.ts";
import { reloadKind, type Change } from "./types.ts";
import { feedLength } from "./statements.ts";

/** What one look at the database gave: its newest revision, and the changes after the position asked for, oldest first. */
export interface FeedPage {
  readonly newest: number;
  readonly changes: readonly Change[];
}

/** The change feed of one process. */
export interface Feed {
  subscribe(listener: (changes: readonly Change[]) => void): () => void;
  /** Reads what is new and tells the listeners; resolves when everything committed before the call has been told. */
  read(): Promise<void>;
  readAt(): number;
}

/** Changes told to listeners at once. */
export const pageSize = 1000;

/** Follows the feed from position `start`. `load` reads one page. */
export function createFeed(options: {
  readonly start: number;
  readonly load: (after: number) => Promise<FeedPage>;
  readonly clock: Clock;
  readonly logger: Logger;
}): Feed {
  const { clock, logger } = options;
  const listeners = new Set<(changes: readonly Change[]) => void>();
  let position = options.start;
  let readAt = clock.now();
  let running: Promise<void> | undefined;
  let next: Promise<void> | undefined;

  const tell = (changes: readonly Change[]): void => {
    for (const listener of [...listeners]) {
      try {
        listener(changes);
      } catch (error) {
        logger.error({ error: errorMessage(error) }, "a listener of the store's change feed failed");
      }
    }
  };

  async function readOnce(): Promise<void> {
    for (;;) {
      const asked = clock.now();
      const page = await options.load(position);
      if (page.newest < position) throw new GatehouseError("unavailable", "the database has gone back in time", { hint: "restart the gateway" });
      if (page.newest - position > feedLength) {
        position = page.newest;
        readAt = asked;
        tell([{ sequence: position, kind: reloadKind, name: reloadKind, deleted: false }]);
        return;
      }
      const whole = page.changes.length < pageSize;
      position = whole ? page.newest : (page.changes.at(-1)?.sequence ?? page.newest);
      if (page.changes.length > 0) tell(page.changes);
      if (whole) {
        readAt = asked;
        return;
      }
    }
  }

  function start(): Promise<void> {
    const reading = readOnce().finally(() => {
      if (running === reading) running = undefined;
    });
    running = reading;
    return reading;
  }

  return {
    subscribe(listener) {
      // Each subscription is its own, even of the same function.
      const own = (changes: readonly Change[]): void => listener(changes);
      listeners.add(own);
      return () => void listeners.delete(own);
    },
    read() {
      if (next) return next;
      if (!running) return start();
      // The one that runs may have looked already: one more after it serves all who ask meanwhile. Its failure is told to who asked for it.
      const after = (): Promise<void> => {
        next = undefined;
        return start();
      };
      next = running.then(after, after);
      return next;
    },
    readAt: () => readAt,
  };
}
