import { constants, openSync } from "node:fs";
import { open } from "node:fs/promises";
import { ReadStream, WriteStream } from "node:tty";

/** The terminal that controls this process, whatever standard input and output are. */
export interface TerminalDevice {
  readonly input: ReadStream;
  readonly output: WriteStream;
  close(): void;
}

const names = process.platform === "win32" ? { input: "\\\\.\\CONIN$", output: "\\\\.\\CONOUT$" } : { input: "/dev/tty", output: "/dev/tty" };

/** Opens the controlling terminal; undefined where there is none. */
export function openTerminalDevice(): TerminalDevice | undefined {
  let input: ReadStream | undefined;
  try {
    // A tty stream owns its descriptor: each gets one that no FileHandle closes behind its back.
    input = new ReadStream(openSync(names.input, constants.O_RDWR));
    const output = new WriteStream(openSync(names.output, constants.O_RDWR));
    const reader = input;
    return {
      input,
      output,
      close() {
        reader.destroy();
        output.destroy();
      },
    };
  } catch {
    input?.destroy();
    return undefined;
  }
}

/** Whether there is a controlling terminal. */
export async function hasTerminalDevice(): Promise<boolean> {
  try {
    await (await open(names.output, constants.O_RDWR)).close();
    return true;
  } catch {
    return false;
  }
}

/** Asks a person on their terminal, never on standard output. */
export interface Prompter {
  confirm(question: string): Promise<boolean>;
  /** Shows nothing of what is typed. */
  password(question: string): Promise<string>;
  ask(question: string): Promise<string>;
}
