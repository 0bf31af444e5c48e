import { playableCsi, playableEscape } from "./play-sequences.ts";

/** How a recording is made safe for a terminal. */
export interface PlayFilterOptions {
  /**
   * The session had a terminal: a line feed alone then moves down without going back, which our own terminal would not do by itself. False
   * for the output of a command without one.
   */
  readonly tty: boolean;
  /** Drop every escape sequence: only text, tabs and newlines (and other control characters) remain. */
  readonly plain?: boolean | undefined;
  /** Rows from the top that the session may scroll; those below are the player's. All where absent. */
  readonly rows?: number | undefined;
}

/** Makes the output of a session safe for a terminal, in pieces cut anywhere. */
export interface PlayFilter {
  /**
   * The part of `bytes` that may be printed, as text. `stream`: each of stdout (`o`) and stderr (`e`) has its own unfinished UTF-8
   * character; bytes that are no UTF-8 become U+FFFD.
   */
  write(bytes: Uint8Array, stream?: "o" | "e"): string;
  /** What is left of an unfinished character. An unfinished sequence is dropped. */
  end(): string;
  /** Changes {@link PlayFilterOptions.rows}. Returns what makes it so on the terminal. */
  resize(rows: number | undefined): string;
  /** Whether the player may draw something of its own now: no sequence is unfinished, and the session counts on no saved cursor. */
  readonly settled: boolean;
}

/** Puts a terminal back: soft reset, main screen, full margins, visible cursor, character sets, wrap, mouse and paste reports off, keys as usual. */
export const restoreTerminal =
  "\x1b[?1049l\x1b[!p\x1b[r\x1b[?69l\x1b[?6l\x1b[?7h\x1b[?5l\x1b[4l\x1b[20l\x1b(B\x1b)B\x0f\x1b[0 q\x1b[?25h\x1b[?12l" +
  "\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1004l\x1b[?1005l\x1b[?1006l\x1b[?1015l\x1b[?2004l\x1b[?1l\x1b>\x1b[0m";

type State = "ground" | "escape" | "csi" | "string";

/** Longest sequence that terminals take; a longer one is dropped. */
const maxSequence = 256;
/** Characters that a string (OSC, DCS, …) may hide; what follows shows again. */
const maxString = 1024 * 1024;

/** C0 that only print, move or choose a character set: bell, backspace, tab, line feeds, return, shifts. */
const playableControls = new Set(["\x07", "\b", "\t", "\n", "\v", "\f", "\r", "\x0e", "\x0f"]);
/** C1 as the escape sequence that means the same. */
const c1Escapes = new Map([["\x84", "D"], ["\x85", "E"], ["\x88", "H"], ["\x8d", "M"], ["\x8e", "N"], ["\x8f", "O"]]);
const stringStarts = new Set("]PX^_");
const c1Strings = new Set("\x90\x98\x9d\x9e\x9f");

/**
 * The one way by which what a session printed reaches a terminal again (DESIGN §4.8). Colours, cursor movement and the alternate screen pass;
 * OSC (clipboard, title, palette, links), DCS, APC, PM, SOS, whatever makes a terminal answer, and modes of mouse, keyboard and paste do not.
 * A list of what may pass decides, so what is unknown does not.
 */
export function createPlayFilter(options: PlayFilterOptions): PlayFilter {
  const decoders = { o: new TextDecoder("utf-8", { ignoreBOM: true }), e: new TextDecoder("utf-8", { ignoreBOM: true }) };
  const machine = new Machine(options.tty, options.plain === true, options.rows);
  return {
    write: (bytes, stream = "o") => machine.feed(decoders[stream].decode(bytes, { stream: true })),
    end: () => machine.feed(decoders.o.decode() + decoders.e.decode()),
    resize: (rows) => machine.resize(rows),
    get settled() {
      return machine.settled;
    },
  };
}

const savesCursor = /^\x1b(?:7|\[s)$/;
const restoresCursor = /^\x1b(?:[8c]|\[u|\[!p)$/;

/** A sequence that touches the margins, with these rows as the most that may scroll. */
function withinRows(sequence: string, rows: number): string {
  const margins = /^\x1b\[(\d*)(?:;(\d*))?r$/.exec(sequence);
  if (margins) {
    const bottom = Number(margins[2] ?? "") || rows;
    return `\x1b[${margins[1] ?? ""};${Math.min(bottom, rows)}r`;
  }
  // These set the margins back, or begin a screen with its own.
  if (sequence === "\x1bc" || sequence === "\x1b#8") return `${sequence}\x1b[1;${rows}r`;
  return sequence === "\x1b[!p" || /^\x1b\[\?(?:.*;)?(?:47|1047|1049)(?:;.*)?[hl]$/.test(sequence) ? `${sequence}\x1b7\x1b[1;${rows}r\x1b8` : sequence;
}

const isText = (code: number): boolean => (code >= 0x20 && code < 0x7f) || code >= 0xa0;

class Machine {
  readonly #tty: boolean;
  readonly #plain: boolean;
  #state: State = "ground";
  #parameters = "";
  #intermediates = "";
  /** Characters of the string under way. */
  #length = 0;
  #osc = false;
  /** The last character printed was a carriage return. */
  #returned = false;
  /** The session has saved the cursor, and not come back to it. */
  #saved = false;
  #rows: number | undefined;
  #out = "";

  constructor(tty: boolean, plain: boolean, rows: number | undefined) {
    this.#tty = tty;
    this.#plain = plain;
    this.#rows = rows;
  }

  get settled(): boolean {
    return this.#state === "ground" && !this.#saved;
  }

  resize(rows: number | undefined): string {
    if (rows === this.#rows) return "";
    this.#rows = rows;
    return `\x1b7\x1b[1;${rows ?? ""}r\x1b8`;
  }

  feed(text: string): string {
    this.#out = "";
    for (let at = 0; at < text.length; at++) {
      if (this.#state === "ground") {
        const start = at;
        while (at < text.length && isText(text.charCodeAt(at))) at++;
        if (at > start) {
          this.#out += text.slice(start, at);
          this.#returned = false;
        }
        if (at === text.length) break;
      }
      this.#character(text.charAt(at));
    }
    return this.#out;
  }

  #character(char: string): void {
    const code = char.charCodeAt(0);
    // These end whatever is under way.
    if (char === "\x1b") this.#begin("escape");
    else if (char === "\x18" || char === "\x1a") this.#state = "ground";
    else if (code >= 0x80 && code < 0xa0) this.#c1(char);
    else if (this.#state === "string") this.#string(char);
    else if (code < 0x20) this.#control(char);
    else if (code === 0x7f) return;
    else if (this.#state === "escape") this.#escape(char);
    else if (this.#state === "csi") this.#csi(char, code);
    else this.#print(char);
  }

  #begin(state: State): void {
    this.#state = state;
    this.#parameters = "";
    this.#intermediates = "";
    this.#length = 0;
  }

  #c1(char: string): void {
    if (char === "\x9b") this.#begin("csi");
    else if (c1Strings.has(char)) this.#beginString(char === "\x9d");
    else {
      this.#state = "ground";
      const final = c1Escapes.get(char);
      if (final !== undefined) this.#emit(playableEscape("", final));
    }
  }

  #beginString(osc: boolean): void {
    this.#begin("string");
    this.#osc = osc;
  }

  #string(char: string): void {
    if (char === "\x07" && this.#osc) this.#state = "ground";
    else if (++this.#length > maxString) {
      this.#state = "ground";
      this.#character(char);
    }
  }

  #control(char: string): void {
    if (!playableControls.has(char)) return;
    // A line feed on its own: our terminal's driver would add a return. To a terminal a vertical tab is the same thing.
    if (char === "\n" && this.#tty && !this.#returned && !this.#plain) this.#out += "\v";
    else this.#out += char;
    this.#returned = char === "\r";
  }

  #escape(char: string): void {
    if (char >= " " && char <= "/") {
      this.#intermediates += char;
      if (this.#intermediates.length > maxSequence) this.#state = "ground";
      return;
    }
    this.#state = "ground";
    if (this.#intermediates !== "") this.#emit(playableEscape(this.#intermediates, char));
    else if (char === "[") this.#begin("csi");
    else if (stringStarts.has(char)) this.#beginString(char === "]");
    else this.#emit(playableEscape("", char));
  }

  #csi(char: string, code: number): void {
    if (code >= 0x40 && code < 0x7f) {
      this.#state = "ground";
      if (this.#parameters.length + this.#intermediates.length <= maxSequence) this.#emit(playableCsi(this.#parameters, this.#intermediates, char));
    } else if (code >= 0xa0) {
      // No terminal agrees on this; the sequence ends here.
      this.#state = "ground";
      this.#print(char);
    } else if (this.#parameters.length + this.#intermediates.length > maxSequence) return;
    else if (code < 0x30) this.#intermediates += char;
    // A parameter after an intermediate makes the sequence invalid; so does what is kept here.
    else this.#parameters += this.#intermediates === "" ? char : "!";
  }

  #print(char: string): void {
    this.#out += char;
    this.#returned = false;
  }

  #emit(sequence: string): void {
    if (sequence === "" || this.#plain) return;
    this.#returned = false;
    if (savesCursor.test(sequence)) this.#saved = true;
    else if (restoresCursor.test(sequence)) this.#saved = false;
    this.#out += this.#rows === undefined ? sequence : withinRows(sequence, this.#rows);
  }
}
