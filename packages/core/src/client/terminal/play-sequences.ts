/**
 * Which escape sequences of a recording may reach a terminal. Everything that is not named here is dropped: what makes a terminal answer, what
 * writes the clipboard, the title, the palette, files or a printer, what resizes windows, and what changes how keys and mouse are reported.
 */

/** CSI sequences without prefix, by their intermediate and final characters. */
const plainFinals = new Set([
  // Cursor, erasing, editing, scrolling, tabs, attributes, margins.
  ...Array.from("@ABCDEFGHIJKLMPSXZ`abdefgmrsu"),
  // Cursor style, scroll left and right, soft reset, protection, columns in and out.
  " q", " @", " A", "!p", '"q', "'}", "'~",
  // Rectangles: change, copy, fill, erase, reverse; what an attribute change covers.
  "$r", "$t", "$v", "$x", "$z", "${", "*x",
]);

/** Modes of `CSI n h`: insert, and line feed with carriage return. */
const ansiModes = new Set(["4", "20"]);

/**
 * Modes of `CSI ? n h`: reverse screen, origin, wrap, blinking cursor, visible cursor, reverse wrap, alternate screens, left and right
 * margins.
 */
const privateModes = new Set(["5", "6", "7", "12", "25", "45", "47", "69", "1047", "1048", "1049"]);

/** Sequences of `ESC` and one character: save and restore the cursor, index, next line, tab stop, reverse index, single shifts, reset, columns, locking shifts. */
const escapeFinals = new Set("78DEHMNOc69no|}~");

const charsetIntermediates = new Set("()*+-./");
/** More than any terminal has rows or columns; some work for minutes on a number of eight digits. */
const maxParameter = 9999;
/** A repeated character is one on the line. */
const maxRepeat = 4096;

/** `CSI parameters intermediates final` as it may be printed; empty where nothing of it may. */
export function playableCsi(parameters: string, intermediates: string, final: string): string {
  const prefix = /^[<=>?]/.exec(parameters)?.[0] ?? "";
  const rest = parameters.slice(prefix.length);
  if (!/^[\d;:]*$/.test(rest)) return "";
  if (prefix === "") return playablePlain(rest, intermediates, final);
  if (prefix !== "?" || intermediates !== "") return "";
  if (final === "h" || final === "l") return modes(rest, "?", privateModes, final);
  if (final === "J" || final === "K") return `\x1b[?${clamped(rest, maxParameter)}${final}`;
  return final === "W" && rest === "5" ? "\x1b[?5W" : "";
}

function playablePlain(parameters: string, intermediates: string, final: string): string {
  if (intermediates === "" && (final === "h" || final === "l")) return modes(parameters, "", ansiModes, final);
  // With more parameters it tracks the mouse.
  if (intermediates === "" && final === "T") return /[;:]/.test(parameters) ? "" : `\x1b[${clamped(parameters, maxParameter)}T`;
  if (!plainFinals.has(intermediates + final)) return "";
  return `\x1b[${clamped(parameters, final === "b" ? maxRepeat : maxParameter)}${intermediates}${final}`;
}

function modes(parameters: string, prefix: string, known: ReadonlySet<string>, final: string): string {
  const kept = parameters.split(";").filter((mode) => known.has(mode.replace(/^0+(?=\d)/, "")));
  return kept.length === 0 ? "" : `\x1b[${prefix}${kept.join(";")}${final}`;
}

function clamped(parameters: string, most: number): string {
  return parameters.replace(/\d{4,}/g, (number) => String(Math.min(most, Number(number))));
}

/** `ESC intermediates final` as it may be printed; empty where it may not. */
export function playableEscape(intermediates: string, final: string): string {
  if (intermediates === "") return escapeFinals.has(final) ? `\x1b${final}` : "";
  if (!/^[0-~]$/.test(final)) return "";
  const [first = ""] = intermediates;
  // Character sets, and double-size lines and the test pattern; not `ESC %`, which ends UTF-8.
  if (charsetIntermediates.has(first) && intermediates.length <= 2) return `\x1b${intermediates}${final}`;
  return intermediates === "#" && /[34568]/.test(final) ? `\x1b#${final}` : "";
}
