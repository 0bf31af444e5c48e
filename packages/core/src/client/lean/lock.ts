import { unlinkSync } from "node:fs";
import { link, mkdir, readFile, rm, stat, unlink, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { GatehouseError, describeDuration, randomHex, systemErrorCode, systemRandom } from "../../base/index.ts";
import { describeProcess, hasEnded, parseProcess } from "./process.ts";

/** How long to wait for a lock, and what to say when it stays held. */
export interface LockOptions {
  /** ms. */
  readonly wait: number;
  /** What could not be done: `change ~/.kube/config`. */
  readonly purpose: string;
  /** Called once, when waiting begins. */
  readonly onWait?: () => void;
  /** Asked while waiting: true gives up and resolves with undefined. */
  readonly giveUp?: () => Promise<boolean>;
}

async function create(path: string, content: string): Promise<boolean> {
  const temporary = `${path}.${randomHex(systemRandom, 6)}`;
  await writeFile(temporary, content, { flag: "wx", mode: 0o600 });
  try {
    // link(2) makes the lock appear with its content: a holder killed in between leaves none behind.
    await link(temporary, path);
    return true;
  } catch (error) {
    const code = systemErrorCode(error);
    if (code === "EEXIST") return false;
    if (code !== "EPERM" && code !== "ENOTSUP" && code !== "EOPNOTSUPP" && code !== "ENOSYS") throw error;
  } finally {
    await rm(temporary, { force: true });
  }
  try {
    await writeFile(path, content, { flag: "wx", mode: 0o600 });
    return true;
  } catch (error) {
    if (systemErrorCode(error) === "EEXIST") return false;
    throw error;
  }
}

async function readLock(path: string): Promise<string | undefined> {
  // kubectl's own locks have mode 0: held, by someone unknown.
  return readFile(path, "utf8").catch((error: unknown) => (systemErrorCode(error) === "ENOENT" ? undefined : ""));
}

/**
 * Removes a lock whose holder is dead. One process at a time does so, else it could remove the lock of the next holder; that one has a lock too, told dead
 * from alive in the same way: by its age a stopped breaker would look dead, and go on beside the next.
 */
async function breakLock(path: string, content: string, options: LockOptions): Promise<void> {
  await withLock(`${path}.break`, options, async () => {
    if ((await readLock(path)) === content) await rm(path, { force: true });
  });
}

async function held(path: string, options: LockOptions): Promise<GatehouseError> {
  const info = await stat(path).catch(() => undefined);
  const content = await readLock(path);
  const holder = content === undefined ? undefined : parseProcess(content);
  const age = info ? `${describeDuration(Math.max(1000, Date.now() - info.mtimeMs))} old` : "just released";
  const who = holder ? `held by process ${holder.pid} on ${holder.host}` : "held by another program, such as kubectl";
  return new GatehouseError("internal", `could not ${options.purpose}: the lock ${path} is ${who} (${age})`, {
    hint: holder ? "try again when that process has ended" : `try again; if nothing is changing that file, remove the lock: rm -f ${path}`,
  });
}

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/**
 * Runs `work` while holding the lock file, which is created exclusively as kubectl does and removed afterwards. A lock whose holder is dead is
 * broken; any other is waited for. Resolves with undefined where `giveUp` said so; throws `internal` when the wait is over.
 */
export async function withLock<T>(path: string, options: LockOptions, work: () => Promise<T>): Promise<T | undefined> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const content = await describeProcess(process.pid);
  const deadline = performance.now() + options.wait;
  for (let pause = 10; !(await create(path, content)); pause = Math.min(pause * 2, 200)) {
    if (pause === 10) options.onWait?.();
    const present = await readLock(path);
    const holder = present === undefined ? undefined : parseProcess(present);
    if (present !== undefined && holder && (await hasEnded(holder))) {
      await breakLock(path, present, { wait: Math.max(0, deadline - performance.now()), purpose: options.purpose });
      continue;
    }
    if ((await options.giveUp?.()) === true) return undefined;
    if (performance.now() > deadline) throw await held(path, options);
    await sleep(pause * (0.5 + Math.random()));
  }
  const onExit = (): void => {
    try {
      unlinkSync(path);
    } catch {
      // The process is ending: the next one breaks the lock.
    }
  };
  process.once("exit", onExit);
  try {
    return await work();
  } finally {
    process.removeListener("exit", onExit);
    await unlink(path).catch((error: unknown) => {
      if (systemErrorCode(error) !== "ENOENT") throw error;
    });
  }
}
