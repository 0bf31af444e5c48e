import { z } from "zod";
import { didYouMean } from "../../base/index.ts";
import { compact, fields, anyText, readBy, time } from "./fields.ts";
import type { Metadata } from "../types.ts";

const maxNameLength = 256;
const nameSyntax = /^[0-9A-Za-z@/_:.-]+$/;

/** Why a name cannot be used in references and URL paths (reference §8.1), or undefined. `/` is in names that older versions stored. */
export function nameProblem(name: string): string | undefined {
  if (name === "") return "must not be empty";
  if (name.length > maxNameLength) return `has more than ${maxNameLength} characters`;
  if (!nameSyntax.test(name)) return "may only have letters, digits and @ _ : . -";
  if (name.includes("..")) return 'must not have ".."';
  // A URL path would lose such segments on the way.
  if (name.split("/").some((segment) => segment === "" || segment === ".")) return 'must not have empty or "." parts between "/"';
  return undefined;
}

/** `default`, which is all that v3 ever had; never kept. */
export const namespace: z.ZodType<undefined> = readBy((value, fail) => {
  if (value !== undefined && value !== null && value !== "" && value !== "default") fail('must be "default": there are no other namespaces');
  return undefined;
});

const labelKey = /^[a-zA-Z/.0-9_*:-]+$/;

/** Labels of a resource: text to text. */
const labels: z.ZodType<Metadata["labels"]> = z
  .record(z.string().regex(labelKey, "may only have letters, digits and / . _ * : -").max(256, "has more than 256 characters"), anyText())
  .nullish()
  .transform((value) => (value && Object.keys(value).length > 0 ? value : undefined));

/** The envelope's metadata. `check` says why a name is not for this kind. */
export function metadata(check: (name: string) => string | undefined, name?: z.ZodType<string>): z.ZodType<Metadata> {
  const named =
    name ??
    readBy((value, fail) => {
      if (value === undefined || value === null) fail("is missing");
      else if (typeof value !== "string") fail("must be text; put it in quotes");
      else {
        const problem = nameProblem(value) ?? check(value);
        if (problem !== undefined) fail(problem);
        return value;
      }
      return "";
    });
  return fields({
    name: named,
    namespace,
    description: anyText(4096)
      .nullish()
      .transform((value) => (value === null || value === "" ? undefined : value)),
    expires: time,
    labels,
  }).transform(({ name: own, description, expires, labels: kept }): Metadata => compact({ name: own, description, expires, labels: kept }));
}

/** A word out of a few, in any case, with the nearest one told for a typo. */
export function word<W extends string>(known: readonly W[], fallback?: W): z.ZodType<W> {
  return readBy((value, fail) => {
    const [first] = known;
    if ((value === undefined || value === null || value === "") && fallback !== undefined) return fallback;
    const found = typeof value === "string" ? known.find((candidate) => candidate.toLowerCase() === value.toLowerCase()) : undefined;
    if (found !== undefined) return found;
    const list = known.join(", ");
    fail(value === undefined ? `is missing; one of: ${list}` : `must be one of: ${list}${typeof value === "string" ? didYouMean(value, known) : ""}`);
    return fallback ?? (first as W);
  });
}
