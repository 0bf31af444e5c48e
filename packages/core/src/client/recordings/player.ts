import { escapeLine } from "../../base/index.ts";
import { parseRecordingMarker, parseRecordingResize, type RecordingRecord, type TerminalSize } from "../../formats/index.ts";
import { createPlayFilter, restoreTerminal, type PlayFilter } from "../terminal/index.ts";
import { isPlayed, type Playable } from "./playable.ts";
import { statusLine, type PlayState } from "./status.ts";

/** Where a recording is played. */
export interface PlayTerminal {
  readonly size: TerminalSize;
  /** Resolves when it takes more. */
  write(text: string): Promise<void>;
  /** Bytes that were typed, as Latin-1. Returns how to stop that. */
  onKeys(listener: (keys: string) => void): () => void;
  onResize(listener: () => void): () => void;
}

/** Time as the player sees it. */
export interface PlayTimer {
  /** ms that never run backwards. */
  now(): number;
  /** Resolves after `ms`, or when the signal says so. */
  wait(ms: number, signal: AbortSignal): Promise<void>;
}

/** How to play. */
export interface PlayOptions {
  readonly terminal: PlayTerminal;
  readonly timer: PlayTimer;
  /** 1 is as it happened. */
  readonly speed: number;
  /** Pauses of the session last no longer than this, in ms; all of it where undefined. The key `s` turns it on and off. */
  readonly idleLimit: number | undefined;
}

/** Speeds that `+` and `-` go through. */
const speeds = [0.25, 0.5, 1, 1.5, 2, 4, 8, 16, 32, 64];
const seekStep = 10_000;
const defaultIdle = 1000;
/** ms between two drawings of the status line. */
const tick = 250;
const enough = 64 * 1024;
const keyPattern = /\x1b(?:\[|O)[0-9;]*[A-Za-z~]|[^]/g;

/** Plays a recording with keys and a status line. Returns how it ended: at its end, by `q`, or by Ctrl-C. The terminal is then as before. */
export async function play(recording: Playable, options: PlayOptions): Promise<"end" | "quit" | "interrupted"> {
  const player = new Player(recording, options);
  const stops = [options.terminal.onKeys((keys) => player.keys(keys)), options.terminal.onResize(() => player.resized())];
  try {
    return await player.run();
  } finally {
    for (const stop of stops) stop();
    await player.close();
  }
}

class Player {
  readonly #recording: Playable;
  readonly #terminal: PlayTerminal;
  readonly #timer: PlayTimer;
  #filter: PlayFilter;
  #speed: number;
  #idle: number | undefined;
  #paused = false;
  #result: "quit" | "interrupted" | undefined;
  /** ms of the recording that have been played. */
  #position = 0;
  /** Everything up to here goes out at once. */
  #seek = 0;
  #restart = false;
  #wake = new AbortController();
  #size: TerminalSize;
  #resized = false;
  #out = "";
  #drawn = Number.NEGATIVE_INFINITY;

  constructor(recording: Playable, { terminal, timer, speed, idleLimit }: PlayOptions) {
    this.#recording = recording;
    this.#terminal = terminal;
    this.#timer = timer;
    this.#speed = speed;
    this.#idle = idleLimit;
    this.#size = recording.size;
    this.#filter = this.#newFilter();
  }

  /** Rows of the session on this terminal: one is the status line's. */
  get #rows(): number {
    return Math.max(1, Math.min(this.#size.rows, this.#terminal.size.rows - 1));
  }

  async run(): Promise<"end" | "quit" | "interrupted"> {
    // What is on the screen moves up instead of being lost.
    await this.#terminal.write("\n".repeat(this.#terminal.size.rows));
    do {
      this.#restart = false;
      this.#position = 0;
      this.#size = this.#recording.size;
      this.#filter = this.#newFilter();
      this.#out = `${restoreTerminal}\x1b[H\x1b[2J\x1b[1;${this.#rows}r\x1b[H`;
      await this.#once();
    } while (this.#again());
    return this.#result ?? "end";
  }

  #again(): boolean {
    return this.#restart && this.#result === undefined;
  }

  async close(): Promise<void> {
    await this.#terminal.write(`${this.#out}${restoreTerminal}\x1b[${this.#terminal.size.rows};1H\x1b[2K`);
  }

  keys(typed: string): void {
    for (const [key] of typed.matchAll(keyPattern)) this.#key(key);
    this.#wakeUp();
  }

  resized(): void {
    this.#resized = true;
    this.#wakeUp();
  }

  #key(key: string): void {
    const faster = speeds.find((speed) => speed > this.#speed);
    // Several keys at once count from where the one before leads.
    const goal = this.#restart ? this.#seek : Math.max(this.#seek, this.#position);
    const slower = speeds.findLast((speed) => speed < this.#speed);
    if (key === "q" || key === "Q") this.#result = "quit";
    else if (key === "\x03") this.#result = "interrupted";
    else if (key === " ") this.#paused = !this.#paused;
    else if (key === "+" || key === "=") this.#speed = faster ?? this.#speed;
    else if (key === "-") this.#speed = slower ?? this.#speed;
    else if (key === "s") this.#idle = this.#idle === undefined ? defaultIdle : undefined;
    else if (/^\x1b.*C$/.test(key)) this.#seek = goal + seekStep;
    else if (/^\x1b.*D$/.test(key)) {
      this.#seek = Math.max(0, goal - seekStep);
      // Screens cannot be undone: it is played anew up to there.
      this.#restart = true;
    }
    this.#drawn = Number.NEGATIVE_INFINITY;
  }

  #wakeUp(): void {
    this.#wake.abort();
    this.#wake = new AbortController();
  }

  async #once(): Promise<void> {
    for await (const record of this.#recording.records()) {
      if (!isPlayed(record, this.#recording)) continue;
      await this.#until(record.at);
      if (this.#result !== undefined || this.#restart) return;
      this.#show(record);
      if (this.#out.length >= enough) await this.#flush();
    }
    // What the session waited for at last, its end.
    await this.#until(this.#recording.duration);
    await this.#flush();
  }

  #show(record: RecordingRecord): void {
    if (record.type === "o" || record.type === "e") this.#out += this.#filter.write(record.data, record.type);
    else if (record.type === "m") {
      const { kind, text } = parseRecordingMarker(record.data);
      this.#out += `[${escapeLine(`${kind}: ${text}`)}]\r\n`;
    } else {
      this.#size = parseRecordingResize(record.data);
      this.#out += this.#filter.resize(this.#rows);
      this.#drawn = Number.NEGATIVE_INFINITY;
    }
  }

  /** Waits until the recording has come to this moment. */
  async #until(target: number): Promise<void> {
    while (this.#result === undefined && !this.#restart) {
      if (this.#resized) {
        this.#resized = false;
        this.#out += this.#filter.resize(this.#rows);
        this.#drawn = Number.NEGATIVE_INFINITY;
      }
      if (this.#position < this.#seek) this.#position = Math.min(target, this.#seek);
      if (this.#position >= target) return;
      if (!this.#paused && this.#idle !== undefined && target - this.#position > this.#idle) this.#position = target - this.#idle;
      await this.#flush();
      this.#draw();
      await this.#flush();
      const before = this.#timer.now();
      const { signal } = this.#wake;
      if (this.#paused) await this.#timer.wait(60_000, signal);
      else {
        // A key may change it meanwhile.
        const speed = this.#speed;
        await this.#timer.wait(Math.min(tick, (target - this.#position) / speed), signal);
        this.#position = Math.min(target, this.#position + (this.#timer.now() - before) * speed);
      }
    }
  }

  #draw(): void {
    const now = this.#timer.now();
    // A cursor that the session has saved would be lost; a person who pauses wants to see that more.
    if (now - this.#drawn < tick || (!this.#filter.settled && !this.#paused)) return;
    this.#drawn = now;
    const { columns, rows } = this.#terminal.size;
    const state: PlayState = { position: this.#position, duration: this.#recording.duration, speed: this.#speed, paused: this.#paused, skipsIdle: this.#idle !== undefined, recorded: this.#size, terminal: { columns, rows } };
    this.#out += `\x1b7\x1b[?6l\x1b[${rows};1H\x1b[0;7m${statusLine(state)}\x1b[0m\x1b[K\x1b8`;
  }

  async #flush(): Promise<void> {
    if (this.#out === "") return;
    const text = this.#out;
    this.#out = "";
    await this.#terminal.write(text);
  }

  #newFilter(): PlayFilter {
    return createPlayFilter({ tty: this.#recording.tty, rows: this.#rows });
  }
}
