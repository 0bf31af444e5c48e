import type { StdioOptions } from "node:child_process";
import { access, constants as modes, readFile } from "node:fs/promises";
import { delimiter, join } from "node:path";
import type { Environment } from "@gatehouse/core/client/lean";
import type { PreparedRun } from "@gatehouse/core/client/ssh";
import { runInFront } from "../child.ts";

/** Absolute path of a program on PATH, or undefined. */
export async function findProgram(name: string, env: Environment = process.env): Promise<string | undefined> {
  const suffixes = process.platform === "win32" ? [".exe"] : [""];
  for (const folder of (env["PATH"] ?? "").split(delimiter).filter((each) => each !== "")) {
    for (const suffix of suffixes) {
      const path = join(folder, name + suffix);
      if (await access(path, modes.X_OK).then(() => true, () => false)) return path;
    }
  }
  return undefined;
}

/** What ssh has no exit code for: the gateway's refusal, where `tsh proxy ssh` left one. */
export async function exitCodeOf(code: number, { status }: PreparedRun): Promise<number> {
  if (code !== 255) return code;
  const left = Number(await readFile(status, "utf8").catch(() => ""));
  return Number.isInteger(left) && left > 0 && left < 255 ? left : code;
}

/** Runs a program of OpenSSH with the terminal to itself. Resolves with its exit code. */
export function runOpenSsh(program: string, args: readonly string[], stdio: StdioOptions = "inherit"): Promise<number> {
  return runInFront(program, args, "OpenSSH", { stdio });
}
