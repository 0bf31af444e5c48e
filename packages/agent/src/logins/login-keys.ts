import type { HeldKeys } from "@gatehouse/core/client/ssh";

/** Several keys as one, asked anew each time: the first that has a key signs with it. */
export function joinKeys(all: () => readonly HeldKeys[]): HeldKeys {
  return {
    list: () => all().flatMap((keys) => keys.list()),
    has: (blob) => all().some((keys) => keys.has(blob)),
    sign: (blob, data) => all().find((keys) => keys.has(blob))?.sign(blob, data),
  };
}
