import { readFile } from "node:fs/promises";
import fc from "fast-check";
import { describe, expect, it, vi } from "vitest";
import {
  GatehouseError,
  codeForStatus,
  describeDuration,
  didYouMean,
  errorMessage,
  escapeLine,
  escapeText,
  formatJson,
  formatDuration,
  parseDuration,
  readAll,
  toGatehouseError,
  version,
} from "./index.ts";

describe("errors", () => {
  it("are known for what they are by another copy of their class, and a kind of them by its own alone", async () => {
    class Special extends GatehouseError {}
    const { GatehouseError: Copy } = (await vi.importActual<{ GatehouseError: typeof GatehouseError }>("./errors.ts?copy"));
    const theirs: unknown = new Copy("not_found", "gone", { hint: "look elsewhere" });
    expect(Copy).not.toBe(GatehouseError);
    expect(toGatehouseError(theirs)).toBe(theirs);
    expect([theirs instanceof Special, new Special("usage", "no") instanceof Special, new Special("usage", "no") instanceof Copy]).toEqual([false, true, true]);
    for (const other of [new Error("no"), { code: "usage" }, null, undefined, "usage"]) expect(other instanceof GatehouseError).toBe(false);
  });

  it("map codes to statuses and exit codes, and statuses back", () => {
    const error = new GatehouseError("access_denied", "no", { hint: "ask", id: "6f0e2a1c" });
    expect([error.status, error.exitCode, error.hint, error.id]).toEqual([403, 4, "ask", "6f0e2a1c"]);
    expect(codeForStatus(403)).toBe("access_denied");
    expect(codeForStatus(400)).toBe("bad_parameter");
    expect(codeForStatus(502)).toBe("unavailable");
    expect(codeForStatus(418)).toBe("bad_parameter");
    expect(codeForStatus(599)).toBe("internal");
  });

  it("keep the original of anything thrown", () => {
    const original = new TypeError("x is not a function");
    const wrapped = toGatehouseError(original);
    expect(wrapped.code).toBe("internal");
    expect(wrapped.cause).toBe(original);
    expect(toGatehouseError(wrapped)).toBe(wrapped);
    expect(errorMessage(new AggregateError([new Error("a"), new Error("b")]))).toBe("a; b");
    expect(errorMessage("text")).toBe("text");
  });
});

describe("durations", () => {
  it.each([
    ["30h0m0s", 108_000_000],
    ["1h", 3_600_000],
    ["1h30m", 5_400_000],
    ["1.5s", 1500],
    ["250ms", 250],
    ["never", 0],
    ["0", 0],
    ["0s", 0],
  ])("%s is %d ms", (text, ms) => expect(parseDuration(text)).toBe(ms));

  it.each(["", "h", "1", "1 h", "-1h", "1hour", "1h-2m", "١h"])("%j is refused", (text) =>
    expect(() => parseDuration(text)).toThrow(GatehouseError),
  );

  it("parse what they format", () => {
    fc.assert(fc.property(fc.integer({ min: 0, max: 10 ** 12 }), (ms) => parseDuration(formatDuration(ms)) === ms));
  });

  it("read well", () => {
    expect(describeDuration(12 * 3_600_000)).toBe("12 h");
    expect(describeDuration(252_000)).toBe("4 min 12 s");
    expect(describeDuration(850)).toBe("850 ms");
    expect(describeDuration(30 * 3_600_000)).toBe("30 h");
    expect(describeDuration(76 * 3_600_000)).toBe("3 d 4 h");
    expect(describeDuration(0)).toBe("0 ms");
    expect(formatDuration(30 * 3_600_000)).toBe("30h0m0s");
  });
});

describe("text", () => {
  it("lets no control, bidi or zero-width character through to a terminal", () => {
    expect(escapeText("a\u001b]52;c;x\u0007\u202eb\u200b")).toBe("a\\x1b]52;c;x\\x07\\u202eb\\u200b");
    expect(formatJson({ "\u009b": "a\u001b\u007f\u202eb\u200bc" })).toBe('{"\\u009b":"a\\u001b\\u007f\\u202eb\\u200bc"}');
    expect(escapeText("two\nlines\tand a tab")).toBe("two\nlines\tand a tab");
    expect(escapeLine("two\nlines")).toBe("two\\nlines");
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => !/[\u0000-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/u.test(escapeLine(text))),
    );
  });

  it("finds the name that was meant, and none where none is near", () => {
    expect(didYouMean("kubernetes_group", ["logins", "kubernetes_groups"])).toBe('; did you mean "kubernetes_groups"?');
    expect(didYouMean("x", ["kubernetes_groups"])).toBe("");
    expect(didYouMean("x", [])).toBe("");
  });
});

describe("readAll", () => {
  async function* chunks(...parts: string[]): AsyncGenerator<Uint8Array | string> {
    for (const part of parts) yield part;
  }
  it("gathers up to the limit and refuses one byte more", async () => {
    expect((await readAll(chunks("ab", "cd"), 4, "body")).toString()).toBe("abcd");
    await expect(readAll(chunks("ab", "cde"), 4, "body")).rejects.toMatchObject({ code: "limit_exceeded" });
  });
});

describe("version", () => {
  it.each(["../../package.json", "../../../tsh/package.json", "../../../tctl/package.json", "../../../../package.json"])("is that of %s", async (path) => {
    const manifest = JSON.parse(await readFile(new URL(path, import.meta.url), "utf8")) as { version: string };
    expect(manifest.version).toBe(version);
  });
});

it("JSON for terminals has nothing in it that acts on one, and is the same to a parser", () => {
  fc.assert(
    fc.property(fc.jsonValue({ stringUnit: "binary" }), fc.constantFrom(undefined, 2), (value, indent) => {
      const text = formatJson(value, indent);
      expect(escapeText(text)).toBe(text);
      expect(JSON.parse(text)).toEqual(JSON.parse(JSON.stringify(value)));
    }),
  );
});
