import { describeDuration } from "@gatehouse/core/base";
import { describeEnd } from "@gatehouse/core/client/terminal";

/** The address as people write it: without the port that is the default one. */
export const shortProxy = (proxy: string): string => proxy.replace(/:3080$/, "");

/** `valid until 21:02, 12 h`, or when it ended. */
export function describeValidity(expires: number, now: number): string {
  return expires <= now ? `ended ${describeDuration(Math.max(1000, now - expires))} ago` : `valid until ${describeEnd(expires, now)}`;
}

/** Names in one line; `none` for none. */
export const listNames = (names: readonly string[]): string => (names.length === 0 ? "none" : names.join(", "));

/** What stands in the place of groups, and why there are none. */
export const noGroups = (refused: string | undefined): string => `none (${refused === undefined || refused === "no role gives a Kubernetes group there" ? "no role gives one" : refused})`;
