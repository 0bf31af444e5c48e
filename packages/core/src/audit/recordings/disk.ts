import { errorMessage, type Logger } from "../../base/index.ts";

/** Ends of file names: of a recording that is written, and of one that has ended. */
export const liveSuffix = ".live";
export const endedSuffix = ".rec";
/** Of a live one as it was found, where it was damaged; and of what is good of it, until that has its lasting name. */
export const damagedSuffix = ".damaged";
export const partSuffix = ".part";

/** Why a system call failed, without what Node adds of the call and the path: people are told it, and two failures alike read alike. */
export function systemReason(error: unknown): string {
  return errorMessage(error).replace(/^([A-Z][A-Z0-9]*: [^,]*), .*$/s, "$1");
}

/** Runs at most some operations at once: a disk that hangs must not take every thread that the process has for files and names. */
export class Lanes {
  readonly #waiting: (() => void)[] = [];
  #free: number;

  constructor(count: number) {
    this.#free = count;
  }

  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.#free > 0) this.#free -= 1;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      return await work();
    } finally {
      const next = this.#waiting.shift();
      if (next) next();
      else this.#free += 1;
    }
  }
}

/** Something that is to be on the disk soon. */
export interface Syncable {
  /** Throws what the system throws. */
  sync(): Promise<void>;
  /** A sync failed: what was written may be lost. */
  syncFailed(why: string): void;
}

/** Syncs what was written since the last time, one after the other, every so often. */
export class SyncGroup {
  readonly #dirty = new Set<Syncable>();
  readonly #lanes: Lanes;
  readonly #interval: number;
  readonly #logger: Logger;
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> | undefined;

  constructor(lanes: Lanes, interval: number, logger: Logger) {
    this.#lanes = lanes;
    this.#interval = interval;
    this.#logger = logger;
  }

  add(one: Syncable): void {
    this.#dirty.add(one);
    if (this.#running === undefined) this.#timer ??= setTimeout(() => this.#start(), this.#interval).unref();
  }

  remove(one: Syncable): void {
    this.#dirty.delete(one);
  }

  /** Syncs what is left. */
  async close(): Promise<void> {
    clearTimeout(this.#timer);
    await this.#running;
    await this.#run();
    clearTimeout(this.#timer);
  }

  #start(): void {
    this.#timer = undefined;
    this.#running = this.#run().then(() => {
      this.#running = undefined;
      if (this.#dirty.size > 0) this.#timer ??= setTimeout(() => this.#start(), this.#interval).unref();
    });
  }

  async #run(): Promise<void> {
    for (const one of [...this.#dirty]) {
      if (!this.#dirty.delete(one)) continue;
      try {
        await this.#lanes.run(() => one.sync());
      } catch (error) {
        this.#logger.error({ error: errorMessage(error) }, "a recording cannot be synced to the disk");
        one.syncFailed(systemReason(error));
      }
    }
  }
}

/** Resolves like the promise, or with `late` after some time. */
export async function within<T, L>(promise: Promise<T>, ms: number, late: L): Promise<T | L> {
  let timer: NodeJS.Timeout | undefined;
  try {
    return await Promise.race([
      promise,
      new Promise<L>((resolve) => {
        timer = setTimeout(() => resolve(late), ms);
      }),
    ]);
  } finally {
    clearTimeout(timer);
  }
}
