import { spawn } from "@lydell/node-pty";
import { expect } from "vitest";

/** A program in a terminal of its own. */
export interface TerminalProgram {
  readonly pty: ReturnType<typeof spawn>;
  /** All that it has shown, as bytes and as text. */
  bytes(): Buffer;
  output(): string;
  /** Waits until something has been shown since the last time that this was waited for. */
  until(pattern: RegExp | string): Promise<void>;
  /** Asks the shell in it for the terminal's size until that is this, `rows columns`: how fast a change of it gets there is nobody's to know. */
  sizeIs(size: string): Promise<void>;
  /** Exit code. */
  readonly exited: Promise<number>;
}

/** Runs a program in a terminal. */
export function runInTerminal(command: string, args: readonly string[], options: { readonly env: NodeJS.ProcessEnv; readonly cols?: number; readonly rows?: number; readonly cwd?: string }): TerminalProgram {
  const pty = spawn(command, [...args], { cols: 91, rows: 33, encoding: null, ...options });
  const chunks: Buffer[] = [];
  pty.onData((data) => chunks.push(Buffer.from(data)));
  const bytes = (): Buffer => Buffer.concat(chunks);
  const output = (): string => bytes().toString("utf8");
  let seen = 0;
  const shows = async (pattern: RegExp | string, ask: () => void, interval = 50): Promise<void> => {
    const look = (): string => {
      ask();
      return output().slice(seen);
    };
    await expect.poll(look, { message: [command, ...args].join(" "), interval }).toMatch(pattern);
    seen = output().length;
  };
  return {
    pty,
    bytes,
    output,
    until: (pattern) => shows(pattern, () => undefined),
    sizeIs: (size) => shows(size, () => pty.write("stty size\r"), 500),
    exited: new Promise((resolve) => pty.onExit(({ exitCode }) => resolve(exitCode))),
  };
}
