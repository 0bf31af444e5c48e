import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { GatehouseError, escapeText } from "../../base/index.ts";
import { createOutput, explainThrown, formatData, formatError, formatFields, formatTable, plainStyle, reportError, startSpinner, takesColor, type Style, type TextSink } from "./index.ts";

const sink = (isTTY: boolean): TextSink & { text: string } => ({
  isTTY,
  text: "",
  write(text) {
    this.text += text;
  },
});
const mark = (name: string) => (text: string) => `<${name}>${text}</${name}>`;
const style: Style = { bold: mark("b"), dim: mark("dim"), red: mark("red"), green: mark("green"), yellow: mark("yellow"), cyan: mark("cyan") };

describe("an error", () => {
  it("is what, what to do, and the event it is logged under", () => {
    const error = new GatehouseError("access_denied", "login failed: ana is in no team", { hint: "ask an administrator\nor another one", id: "6f0e12ab" });
    expect(formatError(error, plainStyle)).toBe("✖ login failed: ana is in no team\n  ask an administrator\n  or another one   (event 6f0e12ab)\n");
    expect(formatError(new GatehouseError("internal", "a\nb", { id: "x" }), style)).toBe("<red>✖</red> a\n  b   (event x)\n");
  });

  it("cannot move the cursor, colour the screen or turn its text around", () => {
    const text = formatError(new GatehouseError("internal", "\u001b[2J\u202eevil\r", { hint: "\u009b1m", id: "\u0007" }), plainStyle);
    expect(text).toBe("✖ \\x1b[2J\\u202eevil\\x0d\n  \\x9b1m   (event \\x07)\n");
  });

  it("goes to standard error alone and has its exit code; the causes are for --debug", () => {
    const output = createOutput({ stdout: sink(true), stderr: sink(false), env: {}, style });
    const error = new GatehouseError("unavailable", "no way", { cause: new Error("ECONNREFUSED 1") });
    expect(reportError(output, error)).toBe(7);
    expect(output.stdout).toMatchObject({ text: "" });
    expect(output.stderr).toMatchObject({ text: "✖ no way\n" });
    expect(formatError(error, plainStyle, { debug: true })).toContain("caused by: ECONNREFUSED 1");
  });

  it("of the command framework is a usage error, and Ctrl-C at a question none", () => {
    const parse = Object.assign(new Error("Nonexistent flag: --bogus\nSee more help with --help"), { oclif: { exit: 2 } });
    expect(explainThrown(parse)).toMatchObject({ code: "usage", message: "Nonexistent flag: --bogus" });
    expect(explainThrown(Object.assign(new Error("x"), { name: "ExitPromptError" }))).toBeUndefined();
    expect(explainThrown("text")).toBe("text");
  });
});

describe("colour and movement", () => {
  it("are for terminals alone, and not with NO_COLOR", () => {
    expect(takesColor(sink(true), {})).toBe(true);
    expect(takesColor(sink(true), { NO_COLOR: "" })).toBe(true);
    for (const [tty, env] of [[false, {}], [true, { NO_COLOR: "1" }], [true, { TERM: "dumb" }]] as const) {
      const stderr = sink(tty);
      const output = createOutput({ stdout: sink(true), stderr, env, style });
      startSpinner(output, "waiting", 1000).stop();
      expect(output.style.red("x")).toBe("x");
      expect(stderr.text).toBe("");
    }
  });

  it("show outside text as text", () => {
    const stderr = sink(true);
    startSpinner(createOutput({ stdout: sink(true), stderr, env: {}, style: plainStyle }), "waiting for \u001b]52;c;aGk=\u0007 …").stop();
    expect(stderr.text).toContain("waiting for \\x1b]52;c;aGk=\\x07 …");
  });

  it("count the time down and clear the line", () => {
    const stderr = sink(true);
    startSpinner(createOutput({ stdout: sink(true), stderr, env: {}, style: plainStyle }), "waiting for GitHub …", 171_000).stop();
    expect(stderr.text).toMatch(/waiting for GitHub … \(Ctrl-C to stop, 2:51 left\)\r\u001b\[2K$/);
  });
});

describe("data", () => {
  it("stands in columns, with outside text escaped", () => {
    expect(formatTable(["NAME", "GROUPS"], [["a\u001b", "x"], ["longer", ""]])).toBe("NAME    GROUPS\na\\x1b   x\nlonger\n");
    expect(formatTable(["NAME"], [])).toBe("NAME\n");
    expect(formatFields([["a", "1\n2"], ["bcd", "3"]])).toBe("  a     1\n        2\n  bcd   3\n");
  });

  it("is JSON or YAML for programs", async () => {
    expect(await formatData({ a: [1] }, "json")).toBe('{\n  "a": [\n    1\n  ]\n}\n');
    expect(await formatData({ a: "x".repeat(200) }, "yaml")).toBe(`a: ${"x".repeat(200)}\n`);
    const evil = { "k\u009b": ["x\u009b31m \u202ey\u007f", "two\nlines\u0085", "a\u001bb", "plain"] };
    for (const format of ["json", "yaml"] as const) {
      const text = await formatData(evil, format);
      expect(escapeText(text)).toBe(text);
      expect(format === "json" ? JSON.parse(text) : parse(text)).toEqual(evil);
    }
    await expect(formatData({}, "text")).rejects.toMatchObject({ code: "usage" });
  });
});
