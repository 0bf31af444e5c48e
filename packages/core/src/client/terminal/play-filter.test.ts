import headless from "@xterm/headless";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createPlayFilter, restoreTerminal } from "./index.ts";

const { Terminal } = headless;
type Terminal = InstanceType<typeof Terminal>;

/** What a piece of output becomes, split at these places. */
function filtered(bytes: Buffer, cuts: readonly number[] = [], options: { readonly tty?: boolean; readonly plain?: boolean; readonly rows?: number } = {}): string {
  const filter = createPlayFilter({ tty: true, ...options });
  let out = "";
  let start = 0;
  for (const end of [...new Set(cuts.map((cut) => cut % (bytes.length + 1)))].sort((a, b) => a - b).concat(bytes.length)) {
    out += filter.write(bytes.subarray(start, end));
    start = end;
  }
  return out + filter.end();
}
const clean = (text: string, options: { readonly tty?: boolean; readonly plain?: boolean; readonly rows?: number } = {}): string => filtered(Buffer.from(text), [], options);

const open = (columns: number, rows: number): Terminal => new Terminal({ cols: columns, rows, allowProposedApi: true, scrollback: 200 });
/** As the driver of a terminal does with what a program like ours prints. */
const driver = (text: string): string => text.replaceAll("\n", "\r\n");
const write = (terminal: Terminal, text: string | Uint8Array): Promise<void> => new Promise((resolve) => terminal.write(text, resolve));

/** Everything that is to be seen: every cell with its colours, and the cursor. */
function screen(terminal: Terminal, rows = terminal.rows): unknown {
  const buffer = terminal.buffer.active;
  const lines: string[] = [];
  for (let y = 0; y < rows; y++) {
    const line = buffer.getLine(buffer.baseY + y);
    const cells: string[] = [];
    for (let x = 0; x < terminal.cols; x++) {
      const cell = line?.getCell(x);
      const chars = cell?.getChars() ?? "";
      cells.push(`${chars === "" ? " " : chars}/${cell?.getFgColorMode() ?? 0}.${cell?.getFgColor() ?? 0}/${cell?.getBgColorMode() ?? 0}.${cell?.getBgColor() ?? 0}/${cell?.isBold() ?? 0}${cell?.isInverse() ?? 0}${cell?.isUnderline() ?? 0}${cell?.isInvisible() ?? 0}`);
    }
    lines.push(cells.join("|").replace(/(?:\| \/0\.-1\/0\.-1\/0000)+$/, ""));
  }
  return { type: buffer.type, x: buffer.cursorX, y: buffer.cursorY, lines };
}

const number = fc.oneof(fc.constant(""), fc.nat({ max: 30 }).map(String), fc.constant("999"));
const csi = fc.tuple(fc.array(number, { maxLength: 3 }), fc.constantFrom(...Array.from("@ABCDEFGHIJKLMPSXZ`adefgmr"))).map(([numbers, final]) => `\x1b[${numbers.join(";")}${final}`);
const visible = fc.oneof(
  fc.string({ unit: fc.constantFrom(...Array.from("ab é漢👍~#")), minLength: 1, maxLength: 20 }),
  fc.constantFrom("\r\n", "\n", "\r", "\b", "\t", "\v", "\f", "\x07", "\x0e", "\x0f"),
  csi,
  fc.tuple(fc.constantFrom(5, 6, 7, 25, 45, 47, 1047, 1048, 1049), fc.constantFrom("h", "l")).map(([mode, final]) => `\x1b[?${mode}${final}`),
  fc.constantFrom("\x1b7", "\x1b8", "\x1bD", "\x1bE", "\x1bH", "\x1bM", "\x1bc", "\x1b[!p", "\x1b(0", "\x1b(B", "\x1b)0", "\x1b#8", "\x1b[4h", "\x1b[4l", "\x1b[20h", "\x1b[20l", "\x1b[?1049;7;2004h", "\x1b[38;5;200m", "\x1b[38:2::1:2:3m", "\x1b[2'}", "\x1b[2'~", "\x1b[2 @", "\x1b[2 A", "x\x1b[5b", "\u009b5A", "\u0084", "\u0085"),
);
/** What is not to be seen, but is what programs (and attackers) print. */
const hidden = fc.constantFrom(
  "\x1b]0;title\x07", "\x1b]52;c;aGVsbG8=\x07", "\x1b]52;c;?\x1b\\", "\x1b]10;?\x07", "\x1b]4;1;?\x07", "\u009d52;c;aGk=\u009c",
  "\x1b[c", "\x1b[>c", "\x1b[=c", "\x1b[5n", "\x1b[6n", "\x1b[?6n", "\x1b[?15n", "\x1b[18t", "\x1b[21t", "\x1b[14t", "\x1b[>q", "\x1b[?u", "\x1b[?1$p", "\x1b[4$p", "\x1b[x", "\x1bZ", "\u009a", "\x05",
  "\x1bP$qm\x1b\\", "\x1bP+q544e\x1b\\", "\x1bPq#0;2;0;0;0#0~~\x1b\\", "\x1b_Gi=1,a=q;AAAA\x1b\\", "\x1b^pm\x1b\\", "\x1bXsos\x1b\\", "\x1b[?1000h", "\x1b[?1003;1006h", "\x1b[?2004h", "\x1b[?1004h", "\x1b[?1h", "\x1b=", "\x1b>", "\x1b[1;1;1;1;1;1*y",
);
const output = fc.array(fc.oneof({ weight: 4, arbitrary: visible }, { weight: 1, arbitrary: hidden }), { maxLength: 60 }).map((parts) => parts.join(""));

describe("a recording on its way to a terminal", () => {
  it("gives the same screen as the original, whatever is cut where", async () => {
    await fc.assert(
      fc.asyncProperty(output, fc.array(fc.nat(), { maxLength: 10 }), async (text, cuts) => {
        const bytes = Buffer.from(text);
        const direct = open(40, 12);
        const replayed = open(40, 12);
        await write(direct, bytes);
        await write(replayed, driver(filtered(bytes, cuts)));
        expect(screen(replayed)).toEqual(screen(direct));
        direct.dispose();
        replayed.dispose();
      }),
      { numRuns: 400 },
    );
  });

  it("never makes a terminal answer, and has nothing but what is allowed, whatever comes", async () => {
    const introducers = fc.constantFrom("\x1b", "\x1b[", "\x1b]", "\x1bP", "\x1b_", "\x1b^", "\x1bX", "\u009b", "\u009d", "\u0090", "\u009c", "\x1b\\", "\x18", "\x1a", "\x07", "?", ">", "$", "!", "52;c;", "1049", ";", "h", "l", "c", "n", "q", "t", "R", " ", "%", "(", "G", "@");
    const noise = fc.oneof(fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes)), fc.array(fc.oneof(introducers, hidden, visible), { maxLength: 30 }).map((parts) => Buffer.from(parts.join(""))));
    const allowed = /^(?:[\x07-\x0f\x20-\x7e\u00a0-\uffff]|\x1b(?:\[\??[\d;:]*(?: [qA@]|!p|"q|'[}~]|\$[rtvxz{]|\*x|[@-HIJ-MPSTXZ`abdefghlmrsuKW])|[78DEHMNOc69no|}~]|[()*+./-][\x20-\x2f]?[\x30-\x7e]|#[34568]))*$/;
    await fc.assert(
      fc.asyncProperty(noise, fc.array(fc.nat(), { maxLength: 10 }), fc.boolean(), async (bytes, cuts, tty) => {
        const text = filtered(bytes, cuts, { tty });
        expect(text).toMatch(allowed);
        expect(text).not.toMatch(/\x1b\[\?(?:[\d;]*;)?(?:1|9|100\d|1015|1016|2004|2026)[;hl]/);
        expect(filtered(bytes, [], { tty })).toBe(text);
        const terminal = open(40, 12);
        const answers: string[] = [];
        terminal.onData((data) => answers.push(data));
        terminal.onTitleChange((title) => answers.push(title));
        await write(terminal, text);
        expect(answers).toEqual([]);
        terminal.dispose();
      }),
      { numRuns: 1000 },
    );
  });

  it.each([
    ["clipboard", "a\x1b]52;c;aGVsbG8=\x07b", "ab"],
    ["clipboard, ended by ST", "a\x1b]52;c;aGVsbG8=\x1b\\b", "ab"],
    ["clipboard, in C1", "a\u009d52;c;aGVsbG8=\u009cb", "ab"],
    ["title, palette, link", "\x1b]0;t\x07\x1b]4;1;red\x07\x1b]8;;http://x\x07x\x1b]8;;\x07", "x"],
    ["DCS, APC, PM, SOS", "\x1bP$qm\x1b\\1\x1b_a\x1b\\2\x1b^p\x1b\\3\x1bXs\x1b\\4", "1234"],
    ["BEL inside a DCS", "\x1bPa\x07b\x1b\\c", "c"],
    ["a string that another sequence ends", "\x1b]0;a\x1b[1mb", "\x1b[1mb"],
    ["queries", "\x05\x1b[c\x1b[>c\x1b[6n\x1b[?1$p\x1b[>q\x1bZ\x1b[18t\x1b[x\x1b[?u.", "."],
    ["colours and the alternate screen", "\x1b[1;31ma\x1b[?1049hb", "\x1b[1;31ma\x1b[?1049hb"],
    ["modes of several, of which one passes", "\x1b[?1049;2004;1000h", "\x1b[?1049h"],
    ["a window's size", "\x1b[8;200;200t\x1b[?3h.", "."],
    ["printing, LEDs, resets of UTF-8", "\x1b[5i\x1b[1q\x1b%@.", "."],
    ["numbers without end", "\x1b[99999999999A\x1b[99999999b", "\x1b[9999A\x1b[4096b"],
    ["controls inside a sequence", "\x1b[3\r1m", "\r\x1b[31m"],
    ["a sequence that is cancelled", "\x1b[3\x18a", "a"],
    ["bytes that are no UTF-8", "\u0000a", "a"],
  ])("%s", (_name, given, expected) => {
    expect(clean(given)).toBe(expected);
  });

  it("replaces bytes that are no UTF-8, among them C1 as single bytes", () => {
    expect(filtered(Buffer.from([0x9b, 0x36, 0x6e, 0xff, 0xe2, 0x82]))).toBe("\ufffd6n\ufffd\ufffd");
  });

  it("joins characters that are cut, for stdout and stderr each", () => {
    const filter = createPlayFilter({ tty: false });
    const euro = Buffer.from("€");
    expect(filter.write(euro.subarray(0, 1)) + filter.write(Buffer.from("!"), "e") + filter.write(euro.subarray(1))).toBe("!€");
  });

  it("does not hide more than a mebibyte in a string that never ends", () => {
    expect(clean(`\x1b_${"a".repeat(1024 * 1024)}seen`)).toBe("seen");
  });

  it("without a terminal keeps line feeds, and plain keeps text alone", () => {
    expect(clean("a\nb", { tty: false })).toBe("a\nb");
    expect(clean("a\nb\r\nc")).toBe("a\vb\r\nc");
    expect(clean("\x1b[31mred\x1b[0m\r\n\x1b]0;t\x07x\x1b[2Ky\n", { plain: true })).toBe("red\r\nxy\n");
  });

  it("keeps the session out of the rows below its own", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.oneof(fc.constantFrom("\r\n", "\n", "\x1bD", "\x1b[r", "\x1b[3;99r", "\x1bc", "\x1b[!p", "\x1b[?1049h", "\x1b[?1049l", "\x1b[5S", "\x1bM", "\x1b[2J", "\x1b[H"), fc.constant("text")), { maxLength: 80 }), async (parts) => {
        const filter = createPlayFilter({ tty: true, rows: 8 });
        // Wide enough that no line is full: not every terminal keeps that with the cursor.
        const terminal = open(400, 10);
        await write(terminal, "\x1b[1;8r");
        for (const part of parts) {
          await write(terminal, filter.write(Buffer.from(part)));
          expect(terminal.buffer.active.cursorY).toBeLessThan(8);
          // The player draws its line between any two writes, and nothing of the session moves.
          if (!filter.settled || part === "\x1b[2J" || part === "\x1bc") continue;
          const before = screen(terminal, 8);
          await write(terminal, "\x1b7\x1b[10;1H\x1b[2Kstatus\x1b8");
          expect(screen(terminal, 8)).toEqual(before);
        }
        terminal.dispose();
      }),
      { numRuns: 100 },
    );
    expect(createPlayFilter({ tty: true, rows: 8 }).resize(5)).toBe("\x1b7\x1b[1;5r\x1b8");
  });

  it("gives the terminal back as it was", async () => {
    const terminal = open(20, 10);
    await write(terminal, "\x1b[?1049h\x1b[?25l\x1b[31m\x1b[3;5r\x1b(0\x1b[?1003h\x1b[?2004h\x1b[?6h\x1b[4h");
    await write(terminal, `${restoreTerminal}\x1b[2Jqx`);
    expect(terminal.buffer.active.type).toBe("normal");
    expect(terminal.modes).toMatchObject({ mouseTrackingMode: "none", bracketedPasteMode: false, originMode: false, insertMode: false, wraparoundMode: true });
    expect(terminal.buffer.active.getLine(0)?.translateToString(true)).toBe("qx");
  });
});
