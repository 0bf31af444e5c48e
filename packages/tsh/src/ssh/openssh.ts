import { spawn, type ChildProcess, type StdioOptions } from "node:child_process";
import { access, constants as modes, readFile } from "node:fs/promises";
import { constants } from "node:os";
import { delimiter, join } from "node:path";
import { GatehouseError, errorMessage } from "@gatehouse/core/base";
import type { PreparedRun } from "@gatehouse/core/client/ssh";

/** Absolute path of a program of OpenSSH on PATH, or undefined. */
export async function findProgram(name: "ssh" | "scp" | "sftp", env: NodeJS.ProcessEnv = process.env): Promise<string | undefined> {
  const suffixes = process.platform === "win32" ? [".exe"] : [""];
  for (const folder of (env["PATH"] ?? "").split(delimiter).filter((each) => each !== "")) {
    for (const suffix of suffixes) {
      const path = join(folder, name + suffix);
      if (await access(path, modes.X_OK).then(() => true, () => false)) return path;
    }
  }
  return undefined;
}

/** The exit code as a shell has it: 128 and the signal's number where one ended the child. */
export function ended(child: ChildProcess): Promise<number> {
  return new Promise((resolve, reject) => {
    child.once("error", (error) => reject(new GatehouseError("internal", `cannot run OpenSSH: ${errorMessage(error)}`, { cause: error })));
    child.once("close", (code, signal) => resolve(code ?? 128 + (signal === null ? 0 : constants.signals[signal])));
  });
}

/** What ssh has no exit code for: the gateway's refusal, where `tsh proxy ssh` left one. */
export async function exitCodeOf(code: number, { status }: PreparedRun): Promise<number> {
  if (code !== 255) return code;
  const left = Number(await readFile(status, "utf8").catch(() => ""));
  return Number.isInteger(left) && left > 0 && left < 255 ? left : code;
}

/** Runs a program of OpenSSH with the terminal to itself. Resolves with its exit code. */
export async function runOpenSsh(program: string, args: readonly string[], stdio: StdioOptions = "inherit"): Promise<number> {
  const child = spawn(program, args, { stdio });
  const pass = (signal: NodeJS.Signals): void => void child.kill(signal);
  // The terminal tells ssh of Ctrl-C too: what it does then is its own affair.
  const ignore = (): void => undefined;
  for (const signal of ["SIGINT", "SIGQUIT", "SIGTERM"] as const) process.removeAllListeners(signal);
  process.on("SIGINT", ignore).on("SIGQUIT", ignore).on("SIGTERM", pass).on("SIGHUP", pass);
  return ended(child);
}
