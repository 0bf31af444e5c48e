import type { StreamEnd } from "./stream-tap.ts";

/** What follows from bytes of one side. */
export interface Turn {
  readonly toClient: Buffer;
  readonly toServer: Buffer;
  /** The last answer to a ping of the client, if any; a later one makes it needless (RFC 6455 §5.5.3). */
  readonly pong: Buffer | undefined;
}

/**
 * A WebSocket client and a SPDY server that understand each other. Pure: bytes in, bytes out, nothing is kept but what belongs to a frame under
 * way, within limits.
 *
 * Use: send what {@link Translation.open} returns to the server. Feed every chunk of either side in order, the client's only from
 * {@link Translation.ready} on. Once {@link Translation.done}, send what the last turn said, then end both connections.
 */
export interface Translation {
  /** What the server is told first. */
  open(): Turn;
  /** The server has taken up what it was told, and bytes of the client make sense to it. */
  readonly ready: boolean;
  /** Nothing more is to be said to either side. */
  readonly done: boolean;
  fromClient(chunk: Uint8Array): Turn;
  fromServer(chunk: Uint8Array): Turn;
  /** The server's connection is over, `broken` where it was cut. */
  serverEnded(broken: boolean): Turn;
  /** Tells the client why it goes no further, and is done. */
  fail(why: StreamEnd): Turn;
  /** What shows both sides, and whatever is between, that the connection is alive. */
  keepAlive(): Turn;
}
