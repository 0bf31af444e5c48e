import { readFile, stat } from "node:fs/promises";
import { hostname } from "node:os";
import { systemErrorCode } from "../../base/index.ts";

/** A process as it is written down, told from a later one with the same number. */
export interface KnownProcess {
  readonly pid: number;
  readonly host: string;
  /** Changes when a number is used again; undefined where the system does not say. */
  readonly started: string | undefined;
}

const maxDescription = 1024;

/** Whether a process of this machine has this number; true also for one that belongs to somebody else. */
export function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return systemErrorCode(error) !== "ESRCH";
  }
}

/** What Linux says of a process, from its state on (proc(5)); undefined for none, and on other systems. */
async function processFields(pid: number | "self"): Promise<readonly string[] | undefined> {
  if (process.platform !== "linux") return undefined;
  const text = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => undefined);
  // The command name, in parentheses, may hold spaces.
  return text?.slice(text.lastIndexOf(")") + 2).split(" ");
}

const startOf = (fields: readonly string[] | undefined): string | undefined => fields?.[19];

/** A line that tells a process of this machine from every other: `gatehouse 4711 host 123456`. */
export async function describeProcess(pid: number): Promise<string> {
  return `gatehouse ${pid} ${hostname()} ${startOf(await processFields(pid)) ?? "-"}\n`;
}

/** Reads a line of {@link describeProcess}; undefined for anything else. */
export function parseProcess(text: string): KnownProcess | undefined {
  if (text.length > maxDescription) return undefined;
  const match = /^gatehouse (\d{1,10}) (\S{1,255}) (\d{1,20}|-)\n$/.exec(text);
  if (!match?.[1] || !match[2] || !match[3]) return undefined;
  return { pid: Number(match[1]), host: match[2], started: match[3] === "-" ? undefined : match[3] };
}

/** Whether it has certainly ended: false for one of another machine, and in doubt. */
export async function hasEnded({ pid, host, started }: KnownProcess): Promise<boolean> {
  if (host !== hostname()) return false;
  if (!isRunning(pid)) return true;
  const now = startOf(await processFields(pid));
  return now !== undefined && started !== undefined && now !== started;
}

/** Whether it certainly runs, as this user: false for one that has ended and that nobody has waited for, and in doubt. */
export async function isOwnAndRuns({ pid, host, started }: KnownProcess): Promise<boolean> {
  if (host !== hostname() || started === undefined) return false;
  const fields = await processFields(pid);
  if (startOf(fields) !== started || fields?.[0] === "Z" || fields?.[0] === "X") return false;
  return (await stat(`/proc/${pid}`).catch(() => undefined))?.uid === process.geteuid?.();
}

/**
 * The group of processes that this one is in: of a shell's job, of a script, of `xargs`. Undefined where the system does not tell (other than Linux), or tells only with another program.
 */
export async function processGroup(): Promise<string | undefined> {
  return (await processFields("self"))?.[2];
}
