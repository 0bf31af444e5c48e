import { constants } from "node:fs";
import { open } from "node:fs/promises";
import type { WitnessWriter } from "./types.ts";

/** Appends to a file: on another machine's file system, or one that this user may append to and nobody here may change (`chattr +a`). */
export function fileWitness(path: string): WitnessWriter {
  /** A write was cut short: the line that comes next must not be glued to it. */
  let torn = false;
  return {
    name: path,
    async send(line) {
      // Opened each time, so that it may be rotated. The path is the operator's own; a link there is theirs too.
      const file = await open(path, constants.O_APPEND | constants.O_CREAT | constants.O_WRONLY, 0o640);
      try {
        const bytes = Buffer.from(`${torn ? "\n" : ""}${line}\n`);
        const { bytesWritten } = await file.write(bytes, 0, bytes.length);
        torn = bytesWritten !== bytes.length && (bytesWritten > 0 || torn);
        if (bytesWritten !== bytes.length) throw new Error(`the file took only ${bytesWritten} of ${bytes.length} bytes`);
        await file.datasync();
      } finally {
        await file.close();
      }
    },
    close: () => Promise.resolve(),
  };
}
