import { chmod, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { spawn, type IPty } from "@lydell/node-pty";
import { tctlPath, tshPath } from "./world.ts";

/** Shells whose completion is tried out. */
export type ShellName = "bash" | "zsh" | "fish";

/** An interactive shell at a terminal, with completion loaded. */
export interface TypedShell {
  /** Types keys (`\t` is TAB) and Enter, and resolves with the words that the command was run with; rejects where it was not run in a minute. */
  type(keys: string): Promise<readonly string[]>;
  /** Types keys without Enter until the screen shows this, then empties the line. Resolves with all that was shown. */
  see(keys: string, pattern: RegExp): Promise<string>;
  close(): void;
}

/** Folder with the built commands under their own names, for PATH. */
export async function commandsFolder(folder: string): Promise<string> {
  await mkdir(folder, { recursive: true });
  for (const [name, path] of [["tsh", tshPath], ["tctl", tctlPath]] as const) {
    await writeFile(join(folder, name), `#!/bin/sh\nexec "${process.execPath}" "${path}" "$@"\n`);
    await chmod(join(folder, name), 0o755);
  }
  return folder;
}

const words = `for word in "$@"; do printf 'ARG[%s]\\n' "$word"; done; echo "ALL$((1+1))"`;
/** How each is started without anybody's settings, and told: commands that are run print their words; completion asks the real ones. */
const starts: Readonly<Record<ShellName, { readonly args: readonly string[]; readonly lines: (program: string) => readonly string[] }>> = {
  bash: { args: ["--norc", "--noprofile", "-i"], lines: (program) => [`source <(command ${program} completion bash)`, `${program}() { ${words}; }`] },
  zsh: { args: ["-f", "-i"], lines: (program) => ["unsetopt beep prompt_cr prompt_sp", "autoload -Uz compinit && compinit -u -D", `source <(command ${program} completion zsh)`, `${program}() { ${words}; }`] },
  fish: { args: ["--no-config", "-i"], lines: (program) => [`command ${program} completion fish | source`, `function ${program}; for word in $argv; printf 'ARG[%s]\\n' $word; end; echo ALL(math 1+1); end`] },
};

/** Starts one in this environment. The caller closes it. */
export async function openShell(name: ShellName, env: NodeJS.ProcessEnv, program: "tsh" | "tctl", cwd: string): Promise<TypedShell> {
  const { args, lines } = starts[name];
  const pty: IPty = spawn(name, [...args], { cols: 200, rows: 50, cwd, env: { ...env, TERM: "xterm", PS1: "> ", HISTFILE: "" } });
  let output = "";
  const listeners = new Set<() => void>();
  pty.onData((data) => {
    output += data;
    for (const listener of listeners) listener();
  });
  const waitFor = (pattern: RegExp): Promise<string> =>
    new Promise((resolve, reject) => {
      const timer = setTimeout(() => finish(() => reject(new Error(`${name} did not show ${String(pattern)}:\n${JSON.stringify(output)}`))), 60_000);
      const look = (): void => {
        if (pattern.test(output)) finish(() => resolve(output));
      };
      const finish = (done: () => void): void => {
        clearTimeout(timer);
        listeners.delete(look);
        done();
      };
      listeners.add(look);
      look();
    });
  let count = 0;
  /** A line of our own, waited for by its outcome, which its echo does not show. */
  const settle = async (line: string): Promise<void> => {
    const mark = ++count;
    const sum = name === "fish" ? `(math ${mark}+1000)` : `$((${mark}+1000))`;
    pty.write(`${line}\r`);
    pty.write(`echo DONE-${sum}\r`);
    await waitFor(new RegExp(`DONE-${String(mark + 1000)}`));
    output = "";
  };
  for (const line of lines(program)) await settle(line);
  return {
    async type(keys) {
      output = "";
      pty.write(`${keys}\r`);
      const shown = await waitFor(/ALL2/);
      const found = [...shown.matchAll(/ARG\[([^\]\r\n]*)\]\r?\n/g)].map(([, word = ""]) => word);
      output = "";
      await settle("true");
      return found;
    },
    async see(keys, pattern) {
      output = "";
      pty.write(keys);
      const shown = await waitFor(pattern);
      pty.write("\u0003");
      await settle("true");
      return shown;
    },
    close() {
      pty.kill();
    },
  };
}
