import type { TerminalSize } from "../../formats/index.ts";

/** What the status line tells. Times in ms. */
export interface PlayState {
  readonly position: number;
  readonly duration: number;
  readonly speed: number;
  readonly paused: boolean;
  readonly skipsIdle: boolean;
  readonly recorded: TerminalSize;
  readonly terminal: TerminalSize;
}

/** `4:12`, `1:04:12`. */
function clockText(ms: number): string {
  const seconds = Math.floor(ms / 1000);
  const two = (value: number): string => String(value).padStart(2, "0");
  const rest = `${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`;
  return seconds >= 3600 ? `${Math.floor(seconds / 3600)}:${rest}` : rest.replace(/^0/, "");
}

/** Whether a recording needs more than this terminal has: its own size, and a row for the status line. */
export function isLarger(recorded: TerminalSize, terminal: TerminalSize): boolean {
  return recorded.columns > terminal.columns || recorded.rows + 1 > terminal.rows;
}

/** One line, no wider than the terminal: where it is, how fast, and the keys. */
export function statusLine({ position, duration, speed, paused, skipsIdle, recorded, terminal }: PlayState): string {
  const larger = isLarger(recorded, terminal) ? `  needs ${recorded.columns}x${recorded.rows + 1}, this is ${terminal.columns}x${terminal.rows}` : "";
  const text = ` ${paused ? "paused" : "playing"} ${clockText(position)}/${clockText(duration)} x${speed}${skipsIdle ? " idle skipped" : ""}${larger}  space pause  ←/→ seek  +/- speed  s skip idle  q quit `;
  return Array.from(text).slice(0, terminal.columns - 1).join("");
}
