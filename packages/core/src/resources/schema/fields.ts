import { z } from "zod";
import { GatehouseError, formatDuration, parseDuration } from "../../base/index.ts";
import type { Path } from "../path.ts";

/** Tells a problem at a path below the value. */
export type Fail = (message: string, path?: Path) => void;

/** A mapping with exactly these fields; absent ones are read as undefined. An unknown one is told with the nearest known name. */
export function fields<Shape extends z.core.$ZodLooseShape>(shape: Shape): z.ZodType<z.output<z.ZodObject<Shape, z.core.$strict>>> {
  const names = Object.keys(shape);
  const absent = Object.fromEntries(names.map((name) => [name, undefined]));
  // The known names travel in the message, which is all that an issue keeps; `problems.ts` reads them.
  const schema = z.strictObject(shape, { error: (issue) => (issue.code === "unrecognized_keys" ? names.join(" ") : undefined) });
  return z.preprocess((value) => (typeof value === "object" && value !== null && !Array.isArray(value) ? { ...absent, ...value } : value), schema);
}

/** A value read by a function: what it tells through `fail` are the problems. */
export function readBy<T>(read: (value: unknown, fail: Fail) => T): z.ZodType<T> {
  return z.unknown().transform((value, context) => {
    const problems: { readonly message: string; readonly path: Path }[] = [];
    const result = read(value, (message, path = []) => {
      problems.push({ message, path });
    });
    for (const { message, path } of problems) context.addIssue({ code: "custom", message, path: [...path] });
    return problems.length > 0 ? z.NEVER : result;
  });
}

/** The messages of what a function throws, as problems. */
export function attempt<T>(fail: Fail, work: () => T, path: Path = []): T | undefined {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof GatehouseError)) throw error;
    fail(error.hint === undefined ? error.message : `${error.message} (${error.hint})`, path);
    return undefined;
  }
}

/** Text of one character or more; control characters are refused. */
export function text(maxLength = 1024): z.ZodString {
  return z
    .string()
    .min(1, "must not be empty")
    .max(maxLength, `has more than ${maxLength} characters`)
    .regex(/^[^\u0000-\u0008\u000b-\u001f\u007f]*$/, "has control characters");
}

/** Text that may be empty. */
export function anyText(maxLength = 1024): z.ZodString {
  return z.string().max(maxLength, `has more than ${maxLength} characters`);
}

/** A list of at most a thousand items; absent and null are empty. */
export function list<T>(item: z.ZodType<T>): z.ZodType<readonly T[]> {
  return z
    .array(item)
    .max(1000, "has more than 1000 items")
    .nullish()
    .transform((items) => items ?? []);
}

/** `true`, `false` or v3's `yes`, `no`, `on`, `off` text (reference §8.3). */
export function truth(fallback: boolean): z.ZodType<boolean> {
  return readBy((value, fail) => {
    if (value === undefined || value === null || value === "") return fallback;
    if (typeof value === "boolean") return value;
    const word = typeof value === "string" ? value.toLowerCase() : "";
    if (["yes", "on", "true", "y", "1"].includes(word)) return true;
    if (["no", "off", "false", "n", "0"].includes(word)) return false;
    fail("must be true or false (yes, no, on, off)");
    return fallback;
  });
}

/** A whole number from 0 to `max`; absent and null are 0. */
export function count(max: number): z.ZodType<number> {
  return readBy((value, fail) => {
    if (value === undefined || value === null || value === "") return 0;
    if (typeof value === "number" && Number.isInteger(value) && value >= 0 && value <= max) return value;
    fail(`must be a whole number from 0 to ${max}`);
    return 0;
  });
}

/** Go's largest duration in ms; longer ones cannot be written on v3's wire. */
const longest = 9_223_372_036_854.775 * 1000;

/** A Go duration as whole ms, rounded up so that a short limit never becomes none. `never` and 0 are 0. */
export function duration(fallback: number, options: { readonly zeroMeans?: number } = {}): z.ZodType<number> {
  const { zeroMeans = 0 } = options;
  return readBy((value, fail) => {
    if (value === undefined || value === null || value === "") return fallback;
    if (value === 0) return zeroMeans;
    if (typeof value !== "string") {
      fail("must be a duration, such as 30m, 12h or 1h30m0s");
      return fallback;
    }
    const trimmed = value.trim();
    const negative = trimmed.startsWith("-");
    if (negative && zeroMeans === 0) {
      fail(`must not be negative: ${JSON.stringify(trimmed.slice(0, 40))}`);
      return fallback;
    }
    const ms = attempt(fail, () => Math.ceil(parseDuration(negative ? trimmed.slice(1) : trimmed))) ?? 0;
    if (ms > longest) fail(`must be at most ${formatDuration(longest)}`);
    return negative || ms === 0 ? zeroMeans : ms;
  });
}

const rfc3339 = /^\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}:\d{2}(?:\.\d{1,9})?(?:[Zz]|[+-]\d{2}:\d{2})$/;

/** RFC 3339 text, or undefined for absent and for Go's zero time. */
export const time: z.ZodType<string | undefined> = readBy((value, fail) => {
  if (value === undefined || value === null || value === "") return undefined;
  if (typeof value !== "string" || !rfc3339.test(value) || Number.isNaN(Date.parse(value))) {
    fail("must be a time such as 2030-01-31T12:00:00Z");
    return undefined;
  }
  return value.startsWith("0001-01-01T00:00:00") ? undefined : value;
});

/** The object without the keys whose value is undefined. */
export function compact<T extends object>(value: T): T {
  return Object.fromEntries(Object.entries(value).filter(([, item]) => item !== undefined)) as T;
}
