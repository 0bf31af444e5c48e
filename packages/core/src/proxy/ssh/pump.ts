import type { Duplex } from "node:stream";

/** Bytes that may wait for a reader before nothing more is read for it: a stop at each piece would cost as much as the piece. */
const enough = 256 * 1024;

/** Bytes from one stream to another: what the slower takes, and its end. `passed` is told of each piece before it goes on. */
export function pump(from: Duplex, to: Duplex, passed: (bytes: number) => void): void {
  const resume = (): void => {
    from.resume();
  };
  from.on("data", (chunk: Buffer) => {
    passed(chunk.length);
    if (!to.writable) return;
    to.write(chunk);
    if (to.writableLength > enough) {
      from.pause();
      to.once("drain", resume);
    }
  });
  from.once("end", () => to.end());
  // It may have been paused, which a listener alone does not end.
  from.resume();
}
