import type { GatehouseError } from "../../base/index.ts";
import { dayOf } from "./log-file.ts";

/** Events that one write takes, all of one day. Their authors share one promise. */
export interface Batch {
  readonly day: number;
  readonly written: Promise<void>;
  readonly resolve: () => void;
  readonly reject: (error: GatehouseError) => void;
  /** Lines without their links and newlines. */
  readonly lines: string[];
  /** Characters of the lines. */
  size: number;
}

/** Characters after which a batch takes no more. */
const fullBatch = 1024 * 1024;

function newBatch(day: number): Batch {
  let resolve: () => void = () => undefined;
  let reject: (error: GatehouseError) => void = () => undefined;
  const written = new Promise<void>((done, failed) => {
    resolve = done;
    reject = failed;
  });
  return { day, written, resolve, reject, lines: [], size: 0 };
}

/** Batches that wait to be written, oldest first. */
export interface Batches {
  /** Events waiting. */
  readonly count: number;
  /** Characters waiting. */
  readonly size: number;
  add(line: string, now: number): Promise<void>;
  /** Takes the oldest. */
  take(): Batch | undefined;
}

/** An empty queue. Its bounds are its user's. */
export function createBatches(): Batches {
  const waiting: Batch[] = [];
  let count = 0;
  let size = 0;
  return {
    get count() {
      return count;
    },
    get size() {
      return size;
    },
    add(line, now) {
      const day = dayOf(now);
      let last = waiting.at(-1);
      if (last?.day !== day || last.size >= fullBatch) {
        last = newBatch(day);
        waiting.push(last);
      }
      last.lines.push(line);
      last.size += line.length;
      count += 1;
      size += line.length;
      return last.written;
    },
    take() {
      const batch = waiting.shift();
      if (batch) {
        count -= batch.lines.length;
        size -= batch.size;
      }
      return batch;
    },
  };
}
