import { escapeText } from "../base/index.ts";

/** Why a stream is ended, in the terms of a Kubernetes `Status`. */
export interface StreamEnd {
  /** HTTP status: 403, 401, … */
  readonly code: number;
  /** Kubernetes reason: `Forbidden`, `Unauthorized`, `Timeout`, … */
  readonly reason: string;
  /** One sentence for people. */
  readonly message: string;
}

/**
 * Watches one upgraded connection from the side and knows where, and with which bytes, the gateway may tell the client why it ends.
 *
 * Use: feed every chunk in order, before it is passed on. When the stream must end: if {@link StreamTap.atBoundary}, write
 * {@link StreamTap.endFrames} to the client; if not, go on passing server chunks until `fromServer` returns an offset ≥ 0, pass that many
 * bytes of the chunk, then write the end frames. Give up waiting for the boundary after 500 ms. Pass nothing from the server afterwards;
 * give the client up to 500 ms to hang up itself (cutting at once can overtake the message in the client), then destroy both sockets.
 * When {@link StreamTap.problem} is set the bytes are not what was negotiated: cut the connection and say so in the audit event.
 *
 * Pure: no sockets, no timers. Only frame headers are looked at, so the cost does not grow with the payload. State is bounded.
 */
export interface StreamTap {
  /** Sees bytes on their way from the client to the server. */
  fromClient(chunk: Uint8Array): void;
  /**
   * Sees bytes on their way from the server to the client. Returns the last offset in this chunk (0…length) where frames of our own
   * may stand, or -1 when there is none. What {@link StreamTap.endFrames} returns next fits that offset.
   */
  fromServer(chunk: Uint8Array): number;
  /** Nothing, or whole frames alone, has been passed from the server: frames of our own may stand here. */
  readonly atBoundary: boolean;
  /** Bytes of payload that were seen, either way. Pings, and whatever else only keeps a connection alive, do not count. */
  readonly carried: number;
  /** What was malformed or over a limit, in words, once something was; the tap has then stopped. */
  readonly problem: string | undefined;
  /** The bytes that tell the client why, for the last boundary; undefined where the protocol has no place for it (then just cut). */
  endFrames(end: StreamEnd): Buffer | undefined;
}

/** Why, as text that may go to a terminal: kubectl prints it as it is. */
export function endText(end: StreamEnd): string {
  return escapeText(end.message);
}

/** A Kubernetes `Status` of failure, as JSON text. */
export function statusText(end: StreamEnd): string {
  return JSON.stringify({ kind: "Status", apiVersion: "v1", metadata: {}, status: "Failure", message: endText(end), reason: end.reason, code: end.code });
}
