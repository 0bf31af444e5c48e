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

/** Asks on this device. */
export function devicePrompter(device: TerminalDevice): Prompter {
  const context = { input: device.input, output: device.output, clearPromptOnDone: false };
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
