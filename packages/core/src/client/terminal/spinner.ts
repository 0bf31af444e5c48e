import { escapeLine } from "../../base/index.ts";
import type { Output } from "./output.ts";

const frames = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"];
const period = 100;

/** What moves while something takes longer than a second. */
export interface Spinner {
  /** Clears the line. */
  stop(): void;
}

function left(ms: number): string {
  const seconds = Math.max(0, Math.ceil(ms / 1000));
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
}

/**
 * Turns on `stderr` while the caller waits; `limit` (ms) counts down beside the text. Where nothing may move, says nothing: what is waited for
 * has been printed already.
 */
export function startSpinner(output: Output, text: string, limit?: number): Spinner {
  if (!output.animated) return { stop: () => undefined };
  const shown = escapeLine(text);
  const end = performance.now() + (limit ?? 0);
  let frame = 0;
  const draw = (): void => {
    const rest = limit === undefined ? "" : output.style.dim(` (Ctrl-C to stop, ${left(end - performance.now())} left)`);
    output.stderr.write(`\r\x1b[2K${output.style.cyan(frames[frame++ % frames.length] ?? "")} ${shown}${rest}`);
  };
  draw();
  const timer = setInterval(draw, period);
  return {
    stop() {
      clearInterval(timer);
      output.stderr.write("\r\x1b[2K");
    },
  };
}
