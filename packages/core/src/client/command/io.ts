import { Writable } from "node:stream";
import { createOutput, openTerminalDevice, type Output, type Prompter, type TerminalDevice } from "../terminal/index.ts";
import chalk from "chalk";

/** The process's own streams. */
export function processOutput(): Output {
  return createOutput({ stdout: process.stdout, stderr: process.stderr, env: process.env, style: chalk });
}

/** Speaks on the terminal device alone: standard output belongs to whoever runs the plugin. */
export function deviceOutput(device: TerminalDevice): Output {
  return createOutput({ stdout: device.output, stderr: device.output, env: process.env, style: chalk });
}

/** The device as one question writes to it: a question ends its output when it is answered, and the device is there for the next one. */
function outputForOne({ output }: TerminalDevice): Writable {
  const sink = new Writable({
    write(chunk: Uint8Array, _encoding, done) {
      output.write(chunk, done);
    },
  });
  return Object.defineProperties(sink, { isTTY: { value: true }, columns: { get: () => output.columns }, rows: { get: () => output.rows } });
}

/** Asks on this device, as often as there is something to ask. */
export function devicePrompter(device: TerminalDevice): Prompter {
  const context = {
    input: device.input,
    get output() {
      return outputForOne(device);
    },
    clearPromptOnDone: false,
  };
  return {
    async confirm(message) {
      const { confirm } = await import("@inquirer/prompts");
      return confirm({ message, default: false }, context);
    },
    async password(message) {
      const { password } = await import("@inquirer/prompts");
      return password({ message }, context);
    },
    async ask(message) {
      const { input } = await import("@inquirer/prompts");
      return input({ message, required: true }, context);
    },
  };
}

/**
 * Runs `work` with someone to ask, or with nobody: questions are for a person who sees them (standard error is a terminal), on the device
 * that controls this process.
 */
export async function withPrompter<T>(work: (prompter: Prompter | undefined) => Promise<T>): Promise<T> {
  const device = process.stderr.isTTY ? openTerminalDevice() : undefined;
  try {
    return await work(device && devicePrompter(device));
  } finally {
    device?.close();
  }
}
