import type { Clock } from "@gatehouse/core/base";

/** When an agent that nobody needs ends. */
export interface IdleWatch {
  /** Somebody asked for something. */
  touch(): void;
  /** Ms since the epoch; undefined while something would be missed. */
  readonly end: number | undefined;
  close(): void;
}

/** What is watched. */
export interface IdleOptions {
  readonly clock: Clock;
  /** ms. */
  readonly time: number;
  /** Nothing is held that would be missed. */
  readonly isIdle: () => boolean;
  readonly onEnd: () => void;
  /** How often it is looked, ms. */
  readonly interval: number;
}

/** Calls `onEnd` once where nothing was asked and nothing held for `time`. A clock that is set back starts the wait anew. */
export function watchIdle({ clock, time, isIdle, onEnd, interval }: IdleOptions): IdleWatch {
  let since = clock.now();
  const timer = setInterval(() => {
    const now = clock.now();
    if (now < since || !isIdle()) since = now;
    if (now - since < time) return;
    clearInterval(timer);
    onEnd();
  }, interval);
  return {
    touch() {
      since = clock.now();
    },
    get end() {
      return isIdle() ? since + time : undefined;
    },
    close: () => clearInterval(timer),
  };
}
