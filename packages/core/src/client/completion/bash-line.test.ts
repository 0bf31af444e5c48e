import { execFileSync } from "node:child_process";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { bashReply, bashWord, readBashLine } from "./bash-line.ts";

/** As bash has it with hostcomplete, its default. */
const breaks = " \t\n\"'@><=;|&(:";
const reply = (typed: string, value: string): string | undefined => bashReply(readBashLine(`tsh ssh ${typed}`), breaks, value, true);
/** Where readline's word begins: behind the last break that no backslash stands before, or at an `@`. */
const readlineStart = (typed: string): number => Array.from(typed.replace(/\\./gs, "xx")).reduce((from, char, at) => (breaks.includes(char) ? at + (char === "@" ? 0 : 1) : from), 0);
/** Text that a name can be: one line, nothing invisible. */
const text = fc.string({ minLength: 1, maxLength: 40, unit: fc.constantFrom(...Array.from("abZ09 $`\"'\\!#&*()[]{}<>?;|~^%=:@,./-+_é漢")) });

describe("a line of bash up to the cursor", () => {
  it.each([
    ["tsh ", [], ""],
    ["tsh ssh we", ["ssh"], "we"],
    ["tsh  --proxy=a   ssh ", ["--proxy=a", "ssh"], ""],
    ["tsh ssh 'a b", ["ssh"], "a b"],
    ['tsh ssh "a\\"b$', ["ssh"], 'a"b$'],
    ["tsh ssh a\\ b", ["ssh"], "a b"],
    ["tsh play x > ", ["play", "x"], ""],
    ["true; tsh kube l", ["kube"], "l"],
    ["tsh ssh a\\", ["ssh"], "a"],
  ])("%s", (line, words, current) => {
    expect(readBashLine(line)).toMatchObject({ words, current, redirected: line.includes(">") });
  });

  it("reads back whatever was quoted", () => {
    fc.assert(fc.property(fc.array(text, { maxLength: 5 }), text, (words, current) => {
      expect(readBashLine(["tsh", ...words, current].map(bashWord).join(" "))).toMatchObject({ words, current });
    }));
  });
});

describe("a word for bash", () => {
  it("is one word and that word alone to bash itself, whatever is in it", () => {
    const words = fc.sample(text, { numRuns: 500, seed: 1 });
    words.push("$(rm -rf ~)", "`id`", "~", "~root", "a{b,c}", "!!", "#x", "a'b\"c\\");
    const out = execFileSync("bash", ["--norc", "-c", `printf '%s\\0' ${words.map(bashWord).join(" ")}`]).toString();
    expect(out.split("\0").slice(0, -1)).toEqual(words);
  });

  it("is put in the place that readline replaces: behind the last break", () => {
    expect(reply("we", "web-1")).toBe("web-1 ");
    expect(reply("deploy@we", "deploy@web-1")).toBe("@web-1 ");
    expect(bashReply(readBashLine("tsh ssh deploy@we"), " =:", "deploy@web-1", true)).toBe("deploy@web-1 ");
    expect(reply("--proxy=", "--proxy=gw:443")).toBe("gw:443 ");
    expect(reply("--proxy=gw:4", "--proxy=gw:443")).toBe("443 ");
    expect(reply("a\\ b", "a b c")).toBe("a\\ b\\ c ");
    expect(reply("a\\:b", "a:bc")).toBe("a:bc ");
    expect(reply("", "$(reboot)")).toBe("\\$\\(reboot\\) ");
    expect(reply("x", "web-1")).toBeUndefined();
  });

  it("keeps to the quote that is open", () => {
    expect(reply("'a ", "a $b")).toBe("a $b");
    expect(reply("'a", "a'b")).toBeUndefined();
    expect(reply('"a ', 'a $b"`\\')).toBe('a \\$b\\"\\`\\\\');
    expect(reply('"a', "a!b")).toBeUndefined();
    expect(reply('--proxy="g', "--proxy=gw")).toBe("gw");
    expect(reply("'a'b", "abc")).toBeUndefined();
  });

  it("makes the line that was meant, in each quote, as bash reads it", () => {
    fc.assert(fc.property(text, fc.nat(40), fc.constantFrom("", "'", '"'), (value, cut, quote) => {
      const part = value.slice(0, Math.min(cut, value.length));
      // Single quotes cannot hold one: it would end them.
      fc.pre(quote !== "'" || !part.includes("'"));
      const typed = quote === "" ? bashWord(part) : quote === "'" ? `'${part}` : `"${part.replace(/[$`"\\]/g, "\\$&")}`;
      const line = readBashLine(`tsh ssh ${typed}`);
      const answer = bashReply(line, breaks, value, false);
      if (answer === undefined) return;
      const from = quote === "" ? readlineStart(typed) : 1;
      expect(readBashLine(`tsh ssh ${typed.slice(0, from)}${answer}`).current).toBe(value);
    }));
  });
});
