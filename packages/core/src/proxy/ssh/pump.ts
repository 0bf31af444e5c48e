import type { Duplex } from "node:stream";

/** Bytes from one stream to another: what the slower takes, and its end. `passed` is told of each piece before it goes on. */
export function pump(from: Duplex, to: Duplex, passed: (bytes: number) => void): void {
  const resume = (): void => {
    from.resume();
  };
  from.on("data", (chunk: Buffer) => {
    passed(chunk.length);
    if (to.writable && !to.write(chunk)) {
      from.pause();
      to.once("drain", resume);
    }
  });
  from.once("end", () => to.end());
  // It may have been paused, which a listener alone does not end.
  from.resume();
}
