/** The streams of a command whose bytes are a person's or the command's. */
export type CommandStream = "stdin" | "stdout" | "stderr";

/**
 * Told what passes of a command (exec, attach). Bytes are views that are valid during the call alone, in the order in which they passed; where
 * they are cut says nothing. What is absent is not looked at, and costs nothing.
 */
export interface CommandSink {
  readonly stdin?: ((bytes: Uint8Array) => void) | undefined;
  readonly stdout?: ((bytes: Uint8Array) => void) | undefined;
  readonly stderr?: ((bytes: Uint8Array) => void) | undefined;
  /** How the command ended, piece by piece: what {@link commandOutcome} reads. */
  readonly error?: ((bytes: Uint8Array) => void) | undefined;
  /** The person's terminal has this size now. */
  readonly resized?: ((columns: number, rows: number) => void) | undefined;
  /** The sender of this stream is done with it; the others go on. */
  readonly ended?: ((stream: CommandStream) => void) | undefined;
}

/** One connection that a port-forward carries; it counts on while it is open. */
export interface PortConnection {
  readonly port: number;
  /** What pairs its streams; counts up in kubectl. */
  readonly requestId: string;
  /** Bytes from the client to the pod. */
  sent: number;
  /** Bytes from the pod to the client. */
  received: number;
  /** What the kubelet said is wrong with it, cut; `""` for nothing. */
  error: string;
}

/** Told of the connections of a port-forward. Those that are open when the stream ends are not told to be closed. */
export interface PortSink {
  readonly opened: (connection: PortConnection) => void;
  readonly closed: (connection: PortConnection) => void;
}

/** Whom a tap tells what passes: at most the one that fits what the connection carries. */
export interface StreamSinks {
  readonly command?: CommandSink | undefined;
  readonly ports?: PortSink | undefined;
}

/** Bytes of an error text that are kept of a forwarded connection. */
const maxPortError = 1024;

/** Adds to what is known to be wrong with a connection. */
export function noteError(connection: PortConnection, bytes: Uint8Array): void {
  const room = maxPortError - connection.error.length;
  if (room > 0) connection.error += Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(room, bytes.length)).toString("latin1");
}

/** Where masked bytes are unmasked, a piece at a time; nobody keeps a view of it. */
const scratch = Buffer.alloc(64 * 1024);

/** Calls `take` with `chunk[start…end)`, unmasked with `mask` from its byte `maskIndex` on (RFC 6455 §5.3; 0 for none). */
export function passUnmasked(chunk: Uint8Array, start: number, end: number, mask: number, maskIndex: number, take: (bytes: Uint8Array) => void): void {
  if (mask === 0) {
    if (end > start) take(chunk.subarray(start, end));
    return;
  }
  for (let from = start; from < end; from += scratch.length) {
    const to = Math.min(end, from + scratch.length);
    const first = maskIndex + from - start;
    const a = maskByte(mask, first);
    const b = maskByte(mask, first + 1);
    const c = maskByte(mask, first + 2);
    const d = maskByte(mask, first + 3);
    const length = to - from;
    let at = 0;
    for (; at + 3 < length; at += 4) {
      scratch[at] = (chunk[from + at] ?? 0) ^ a;
      scratch[at + 1] = (chunk[from + at + 1] ?? 0) ^ b;
      scratch[at + 2] = (chunk[from + at + 2] ?? 0) ^ c;
      scratch[at + 3] = (chunk[from + at + 3] ?? 0) ^ d;
    }
    for (; at < length; at++) scratch[at] = (chunk[from + at] ?? 0) ^ maskByte(mask, first + at);
    take(scratch.subarray(0, length));
  }
}

/** The byte that masks the byte of this index. */
export function maskByte(mask: number, index: number): number {
  return (mask >>> (24 - 8 * (index & 3))) & 0xff;
}

/** Bytes of one size; real ones have about 30, and none has fewer than `{"Width":1,"Height":1}`. */
const maxSize = 256;
const minSize = 22;

/** Reads sizes of a terminal, `{"Width":80,"Height":24}`, one after the other and cut anywhere. What is none is passed over. */
export function createResizeReader(resized: (columns: number, rows: number) => void): (bytes: Uint8Array) => void {
  let text = "";
  return (bytes) => {
    for (const byte of bytes) {
      if (text.length < maxSize) text += String.fromCharCode(byte);
      if (byte !== 0x7d) continue;
      const size = text.length < minSize ? undefined : sizeOf(text);
      text = "";
      if (size !== undefined) resized(size.columns, size.rows);
    }
  };
}

function sizeOf(text: string): { readonly columns: number; readonly rows: number } | undefined {
  const number = (name: string): number => Number(new RegExp(`"${name}"\\s*:\\s*(\\d{1,5})\\s*[,}]`, "i").exec(text)?.[1] ?? Number.NaN);
  const columns = number("width");
  const rows = number("height");
  return columns <= 0xffff && rows <= 0xffff ? { columns, rows } : undefined;
}
