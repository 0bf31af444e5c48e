import { writeSync } from "node:fs";
import { restoreTerminal } from "../terminal/index.ts";
import type { PlayTerminal, PlayTimer } from "./player.ts";

/** Timers of this machine. */
export const systemTimer: PlayTimer = {
  now: () => performance.now(),
  wait: (ms, signal) =>
    new Promise((resolve) => {
      if (signal.aborted) {
        resolve();
        return;
      }
      const done = (): void => {
        clearTimeout(timer);
        signal.removeEventListener("abort", done);
        resolve();
      };
      const timer = setTimeout(done, ms);
      signal.addEventListener("abort", done, { once: true });
    }),
};

/** The terminal of standard output and input, with keys unbuffered. Whatever ends the process, the terminal is as before. */
export function processTerminal(): PlayTerminal & { close(): void } {
  const { stdin, stdout } = process;
  const keys = stdin.isTTY;
  if (keys) stdin.setRawMode(true);
  const onExit = (): void => {
    if (keys) stdin.setRawMode(false);
    try {
      writeSync(1, restoreTerminal);
    } catch {
      // The terminal is gone: nothing is left to put back.
    }
  };
  process.once("exit", onExit);
  // By itself it would end the process without that; the terminal may outlive it (a shell that ends its jobs, a kill by hand).
  const onHangup = (): void => {
    onExit();
    process.kill(process.pid, "SIGHUP");
  };
  process.once("SIGHUP", onHangup);
  return {
    get size() {
      return { columns: stdout.columns, rows: stdout.rows };
    },
    write: (text) => new Promise((resolve, reject) => stdout.write(text, (error) => (error ? reject(error) : resolve()))),
    onKeys(listener) {
      const onData = (data: Buffer): void => listener(data.toString("latin1"));
      stdin.on("data", onData);
      return () => {
        stdin.off("data", onData);
        stdin.pause();
      };
    },
    onResize(listener) {
      stdout.on("resize", listener);
      return () => stdout.off("resize", listener);
    },
    close() {
      process.off("exit", onExit);
      process.off("SIGHUP", onHangup);
      if (keys) stdin.setRawMode(false);
    },
  };
}
