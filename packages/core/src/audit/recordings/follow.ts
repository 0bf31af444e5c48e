import { open } from "node:fs/promises";

/** A file that grows. */
export interface Growing {
  /** Bytes that may be read. */
  readonly size: () => number;
  /** It grows no more. */
  readonly over: () => boolean;
  /** Calls back when either is another; returns how to stop that. */
  readonly wait: (listener: () => void) => () => void;
}

const block = 64 * 1024;

/** The bytes of a file as they come to be. One block of memory, however far behind its reader is. */
export async function* followFile(path: string, growing: Growing, signal: AbortSignal): AsyncGenerator<Buffer, void, void> {
  const handle = await open(path, "r");
  try {
    for (let at = 0; !signal.aborted; ) {
      const wanted = Math.min(block, growing.size() - at);
      if (wanted > 0) {
        const { bytesRead, buffer } = await handle.read(Buffer.allocUnsafe(wanted), 0, wanted, at);
        if (bytesRead === 0) return;
        at += bytesRead;
        yield buffer.subarray(0, bytesRead);
      } else if (growing.over()) {
        return;
      } else {
        await changed(growing, signal);
      }
    }
  } finally {
    await handle.close();
  }
}

function changed(growing: Growing, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      stop();
      signal.removeEventListener("abort", done);
      resolve();
    };
    const stop = growing.wait(done);
    signal.addEventListener("abort", done, { once: true });
  });
}
