// C0 but for newline and tab, DEL, C1, and the characters that reorder or hide text (bidi marks, zero width, line and paragraph separators).
const unsafe = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]/gu;

/**
 * Outside text made safe for a terminal: control, bidi and zero-width characters become visible `\x1b`, `\u202e` forms.
 * Newlines and tabs stay.
 */
export function escapeText(text: string): string {
  return text.replace(unsafe, (char) => {
    const code = char.codePointAt(0) ?? 0;
    return code < 0x100 ? `\\x${code.toString(16).padStart(2, "0")}` : `\\u${code.toString(16).padStart(4, "0")}`;
  });
}

/** {@link escapeText} for one line: newlines and tabs are escaped too. */
export function escapeLine(text: string): string {
  return escapeText(text).replaceAll("\n", "\\n").replaceAll("\t", "\\t");
}

// Those of them that JSON and YAML leave as they are inside double quotes.
const unsafeInQuotes = /[\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]/gu;

/** JSON, or YAML whose unsafe text is in double quotes, made safe for a terminal: the same characters as for {@link escapeText} become `\uXXXX`, which a parser reads as what it was. */
export function escapeInQuotes(text: string): string {
  return text.replace(unsafeInQuotes, (char) => `\\u${(char.codePointAt(0) ?? 0).toString(16).padStart(4, "0")}`);
}

/** A value as JSON that may go to a terminal whatever is in it; the same value to a parser. */
export function formatJson(value: unknown, indent?: number): string {
  return escapeInQuotes(JSON.stringify(value, undefined, indent));
}
