import type { Readable, Writable } from "node:stream";

/** Bytes that may wait for a reader before nothing more is read for it: enough that neither side runs dry between two turns. */
const enough = 512 * 1024;

/**
 * Copies until the end of `from`, and ends `to` then. What comes within one turn of the event loop is written at once: TLS gives pieces of 16 KiB, and a
 * system call for each would cost as much as the decryption. Before it ends `to`, `last` may do something yet; it must not reject. Rejects with the error of either.
 */
export function pump(from: Readable, to: Writable, last?: () => Promise<void>): Promise<void> {
  return new Promise((resolve, reject) => {
    let corked = false;
    const uncork = (): void => {
      corked = false;
      to.uncork();
    };
    from.on("data", (chunk: Buffer) => {
      if (!corked) {
        corked = true;
        to.cork();
        setImmediate(uncork);
      }
      to.write(chunk);
      if (to.writableLength > enough) from.pause();
    });
    to.on("drain", () => from.resume());
    let ending = false;
    from.once("end", () => {
      ending = true;
      (last?.() ?? Promise.resolve()).then(() => to.end(), reject);
    });
    to.once("finish", resolve);
    from.resume();
    for (const stream of [from, to]) stream.once("error", reject);
    from.once("close", () => {
      if (!ending) resolve();
    });
    to.once("close", () => resolve());
  });
}
