import { describeDuration } from "../../base/index.ts";

const two = (value: number): string => String(value).padStart(2, "0");

/** A moment for people, in local time: the hour, with the day where that is another one. */
export function describeTime(time: number, now: number): string {
  const date = new Date(time);
  const hour = `${two(date.getHours())}:${two(date.getMinutes())}`;
  return date.toDateString() === new Date(now).toDateString() ? hour : `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} ${hour}`;
}

/** When something still to come ends, and how long that is: `21:02, 12 h`. */
export function describeEnd(expires: number, now: number): string {
  return `${describeTime(expires, now)}, ${describeDuration(Math.round((expires - now) / 60_000) * 60_000 || 1000)}`;
}
