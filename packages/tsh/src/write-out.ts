import { writeSync } from "node:fs";
import { outputError, systemErrorCode } from "@gatehouse/core/base";

/**
 * Writes to standard output (1) or error (2) without the stream that Node would build for it: loading that one costs 15 ms, a tenth of what
 * kubectl waits. A reader that has gone is no error. Throws `internal` for a full disk.
 */
export function writeOut(descriptor: 1 | 2, text: string): void {
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; ) {
    try {
      at += writeSync(descriptor, bytes, at);
    } catch (error) {
      const code = systemErrorCode(error);
      if (code === "EPIPE") return;
      // A pipe that is full and does not block: the reader is slow.
      if (code !== "EAGAIN") throw outputError(error);
    }
  }
}
