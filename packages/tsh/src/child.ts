import { spawn, type ChildProcess, type SpawnOptions } from "node:child_process";
import { constants } from "node:os";
import { GatehouseError, errorMessage, escapeLine, systemErrorCode } from "@gatehouse/core/base";
import { listenAlone } from "./signals.ts";

/** The exit code as a shell has it: 128 and the signal's number where one ended the child. Rejects where it could not be started; `name` is for people. */
export function ended(child: ChildProcess, name: string): Promise<number> {
  return new Promise((resolve, reject) => {
    child.once("error", (error) => {
      if (systemErrorCode(error) === "ENOENT") reject(new GatehouseError("not_found", `cannot run ${escapeLine(name)}: there is no such program`, { hint: "check the spelling, and PATH", cause: error }));
      else reject(new GatehouseError("internal", `cannot run ${escapeLine(name)}: ${errorMessage(error)}`, { cause: error }));
    });
    child.once("close", (code, signal) => resolve(code ?? 128 + (signal === null ? 0 : constants.signals[signal])));
  });
}

/** Runs a program with the terminal to itself. Resolves with its exit code. */
export function runInFront(program: string, args: readonly string[], name: string, options: Pick<SpawnOptions, "stdio" | "env"> = {}): Promise<number> {
  const child = spawn(program, args, { stdio: "inherit", ...options });
  const pass = (signal: NodeJS.Signals): void => void child.kill(signal);
  // The terminal tells the program of Ctrl-C too: what it does then is its own affair.
  const ignore = (): void => undefined;
  for (const [signal, listener] of [["SIGINT", ignore], ["SIGQUIT", ignore], ["SIGTERM", pass], ["SIGHUP", pass]] as const) listenAlone(signal, listener);
  return ended(child, name);
}
