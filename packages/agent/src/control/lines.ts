import type { Socket } from "node:net";
import { GatehouseError } from "@gatehouse/core/base";

/** Bounds of what one client sends. */
export interface LineLimits {
  /** Bytes of a line. */
  readonly limit: number;
  /** ms until a line must be whole: since the connection, or since the last one was answered. */
  readonly time: number;
}

const newline = 0x0a;

/**
 * The lines that a client sends, one at a time: nothing more is read until the last one is dealt with. Ends where the client does. Throws `limit_exceeded` for a
 * line that is too long; a line that does not come to its end in time destroys the socket.
 */
export async function* readLines(socket: Socket, { limit, time }: LineLimits): AsyncGenerator<string> {
  let pieces: Buffer[] = [];
  let size = 0;
  const giveUp = (): void => void socket.destroy(new GatehouseError("bad_parameter", `no whole line came within ${time / 1000} s`));
  let timer = setTimeout(giveUp, time);
  try {
    for await (const chunk of socket.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
      let rest = chunk;
      for (let end = rest.indexOf(newline); end >= 0; end = rest.indexOf(newline)) {
        size += end + 1;
        if (size > limit) break;
        const line = Buffer.concat([...pieces, rest.subarray(0, end)]).toString("utf8");
        pieces = [];
        size = 0;
        rest = rest.subarray(end + 1);
        clearTimeout(timer);
        yield line;
        timer = setTimeout(giveUp, time);
      }
      if (rest.length > 0) pieces.push(rest);
      size += rest.length;
      if (size > limit) throw new GatehouseError("limit_exceeded", `a request is longer than ${limit} bytes`);
    }
  } finally {
    clearTimeout(timer);
  }
}
