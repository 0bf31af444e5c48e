import type { SsoTestOutcome } from "@gatehouse/core/api";
import { GatehouseError, escapeLine, isErrorCode } from "@gatehouse/core/base";
import { formatFields } from "@gatehouse/core/client/terminal";

type Field = readonly [name: string, value: string];

const marks = { yes: "✔", no: "✖" } as const;
const list = (values: readonly string[]): string => (values.length === 0 ? "-" : values.map(escapeLine).join(", "));
const isPlain = (value: unknown): value is string | number | boolean => ["string", "number", "boolean"].includes(typeof value);

/** What a provider sent, on one line: texts as they are, lists of them with commas, anything else as JSON. */
function describeValue(value: unknown): string {
  if (isPlain(value)) return value === "" ? '""' : escapeLine(String(value));
  if (Array.isArray(value) && value.every(isPlain)) return list(value.map(String));
  return escapeLine(JSON.stringify(value));
}

function section(title: string, fields: readonly Field[]): string {
  return `${title}\n${fields.length === 0 ? "  -\n" : formatFields(fields.map(([name, value]) => [escapeLine(name), value] as const))}`;
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> => typeof value === "object" && value !== null && !Array.isArray(value);

/** Attributes of SAML are one value with names in it: each gets a line of its own, as claims have. */
function receivedFields(received: Readonly<Record<string, unknown>>): readonly Field[] {
  return Object.entries(received).flatMap(([name, value]) => (name === "attributes" && isObject(value) ? receivedFields(value) : [[name, describeValue(value)] as const]));
}

/** What came of a connector's test, for people: who came, with what, what each rule made of it, and what a login would give. */
export function describeOutcome(outcome: SsoTestOutcome): string {
  const { missing_roles: missing } = outcome;
  const roles = outcome.roles.map((role) => escapeLine(role) + (missing.includes(role) ? " (does not exist)" : ""));
  return [
    section("who", [
      ["name", escapeLine(outcome.name)],
      ["id", escapeLine(outcome.id)],
    ]),
    section("received", receivedFields(outcome.received)),
    section(
      "rules",
      outcome.rules.map(({ rule, matched, gives }) => [`${matched ? marks.yes : marks.no} ${rule}`, list(gives)]),
    ),
    section("a login gives", [
      ["roles", roles.length === 0 ? "-" : roles.join(", ")],
      ...Object.entries(outcome.traits).map(([name, values]): Field => [`trait ${name}`, list(values)]),
      ["logins on hosts", list(outcome.logins)],
      ...outcome.kubernetes.map(({ cluster, groups }): Field => [`groups in ${cluster}`, list(groups)]),
    ]),
  ].join("\n");
}

/** Why a login would be refused, as an error with the exit code that the login would have; undefined where it would succeed. */
export function problemOf({ problem }: SsoTestOutcome): GatehouseError | undefined {
  if (!problem) return undefined;
  return new GatehouseError(isErrorCode(problem.code) ? problem.code : "access_denied", `a login would be refused: ${problem.message}`, { hint: problem.hint });
}
