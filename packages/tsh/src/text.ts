import { describeDuration } from "@gatehouse/core/base";

/** The address as people write it: without the port that is the default one. */
export const shortProxy = (proxy: string): string => proxy.replace(/:3080$/, "");

const two = (value: number): string => String(value).padStart(2, "0");

/** A moment for people, in local time: the hour, with the day where that is another one. */
export function describeTime(time: number, now: number): string {
  const date = new Date(time);
  const hour = `${two(date.getHours())}:${two(date.getMinutes())}`;
  return date.toDateString() === new Date(now).toDateString() ? hour : `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} ${hour}`;
}

/** `valid until 21:02, 12 h`, or when it ended. */
export function describeValidity(expires: number, now: number): string {
  return expires <= now
    ? `ended ${describeDuration(Math.max(1000, now - expires))} ago`
    : `valid until ${describeTime(expires, now)}, ${describeDuration(Math.round((expires - now) / 60_000) * 60_000 || 1000)}`;
}

/** Names in one line; `none` for none. */
export const listNames = (names: readonly string[]): string => (names.length === 0 ? "none" : names.join(", "));
