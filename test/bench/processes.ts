import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { z } from "zod";

/** The core that what is measured has to itself, and the one that everything else shares. */
export const cores = { measured: Math.min(1, availableParallelism() - 1), rest: 0 } as const;

/** Starts a program pinned to one core. */
export function pinned(core: number, command: string, args: readonly string[], ipc = false): ChildProcess {
  return spawn("taskset", ["-c", String(core), command, ...args], { stdio: ipc ? ["ignore", "inherit", "inherit", "ipc"] : ["ignore", "inherit", "inherit"] });
}

/** A program of the bench that is ready. */
export interface Started<T> {
  readonly child: ChildProcess;
  readonly ready: T;
}

/** Starts a bundled program of the bench pinned to one core; the first message it sends is of this shape. */
export async function startProgram<T>(core: number, name: string, options: unknown, shape: z.ZodType<T>): Promise<Started<T>> {
  const path = fileURLToPath(new URL(`${name}.js`, import.meta.url));
  const child = pinned(core, process.execPath, ["--expose-gc", path, JSON.stringify(options)], true);
  const ended = once(child, "exit").then(() => Promise.reject(new Error(`${name} ended before it was ready`)));
  const [message] = (await Promise.race([once(child, "message"), ended])) as unknown[];
  ended.catch(() => undefined);
  return { child, ready: shape.parse(message) };
}

/** Runs a bundled program to its end; its one message is the result. */
export async function runProgram<T>(core: number, name: string, options: unknown, shape: z.ZodType<T>): Promise<T> {
  const { child, ready } = await startProgram(core, name, options, shape);
  if (child.exitCode === null) await once(child, "exit");
  return ready;
}

/** Asks a program started with {@link startProgram} something and waits for the answer. */
export async function ask<T>(child: ChildProcess, question: string, shape: z.ZodType<T>): Promise<T> {
  const answer = once(child, "message");
  child.send(question);
  const [message] = (await answer) as unknown[];
  return shape.parse(message);
}

/** Ends a program and waits for it. */
export async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill("SIGTERM");
  await once(child, "exit");
}

/** CPU time that a process has used, user and system, in µs (proc(5): fields 14 and 15, in ticks of 10 ms). */
export function cpuTime(pid: number): number {
  const fields = readFileSync(`/proc/${String(pid)}/stat`, "utf8").replace(/^.*\) /, "").split(" ");
  return (Number(fields[11]) + Number(fields[12])) * 10_000;
}

/** Resident memory of a process, bytes. */
export function residentMemory(pid: number): number {
  const [, kilobytes] = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${String(pid)}/status`, "utf8")) ?? [];
  return Number(kilobytes) * 1024;
}
