import fc from "fast-check";
import { expect, it } from "vitest";
import { createChain } from "../log/chain.ts";
import { serialiseEvent } from "../log/serialise.ts";
import { indexedLine, indexedOf, parseEvent } from "./terms.ts";

const time = "2026-11-24T10:00:00.000Z";
const uid = "86d42bcd-6665-483e-949c-884d6d5190a8";

function lineOf(event: Readonly<Record<string, unknown>>): Buffer {
  const [line = ""] = createChain("0123456789abcdef", "").seal([serialiseEvent({ event: "kube.request", code: "T3009I", ...event }, uid, time)]).lines;
  return Buffer.from(line);
}

function parsed(line: Buffer): unknown {
  const event = parseEvent(line);
  return event && indexedOf(event);
}

it.each([
  { user: "ana", path: "/api/v1/pods" },
  { user: "ana", sid: "0c6f3f3a" },
  { user: "aña \\ \"o'Brien\" \u0007" },
  { login: "ana", user: "ana" },
  { user: "ana", labels: { user: "ben", time: "never" } },
  { user: "ana", reason: '","user":"eve","time":"2020-01-01T00:00:00.000Z","sid":"x' },
  { user: undefined, login: "x" },
  { user: 7 },
])("finds a line by the same with and without parsing it: %j", (event) => {
  const line = lineOf(event);
  expect(indexedLine(line)).toEqual(parsed(line));
});

it("parses lines that anyone else wrote", () => {
  const own = lineOf({ user: "ana" }).toString();
  const forged = [
    own.replace('"login"', '"x"').replace(',"uid"', ',"user":"eve","uid"'),
    own.replace(',"uid"', ',"\\u0075ser":"eve","uid"'),
    own.replace(',"uid"', ', "sid" :"x","uid"'),
    own.replace(/,"chain".*/, "}"),
    own.replace(',"time"', ',"time" '),
    "null",
    "",
  ];
  for (const text of forged) expect(indexedLine(Buffer.from(text))).toEqual(parsed(Buffer.from(text)));
});

it("finds any event by the same with and without parsing it", () => {
  const text = fc.oneof(fc.string({ unit: "binary" }), fc.constantFrom("user", "sid", "event", "time", '"user":"x"', "\\u0075ser"));
  const value = fc.oneof(text, fc.integer(), fc.dictionary(text, text), fc.array(text));
  fc.assert(
    fc.property(fc.dictionary(text, value), fc.oneof(text, fc.constant(undefined)), (fields, user) => {
      const line = lineOf({ user, ...fields });
      expect(indexedLine(line)).toEqual(parsed(line));
    }),
    { numRuns: 300 },
  );
});
