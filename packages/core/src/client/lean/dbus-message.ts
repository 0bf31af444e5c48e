/** The little of the D-Bus wire format (specification 0.42, "Message Protocol") that asking a few questions needs. */

/** A method call without arguments, with strings and one unsigned number at most, or with a body made by {@link notifyBody}. */
export interface DbusCall {
  readonly serial: number;
  readonly destination: string;
  readonly path: string;
  readonly interface: string;
  readonly member: string;
  readonly strings?: readonly string[];
  /** A `u` after the strings. */
  readonly number?: number;
  /** Instead of the two. */
  readonly made?: DbusBody;
}

/** Arguments of a call and their types. */
export interface DbusBody {
  readonly signature: string;
  readonly bytes: Buffer;
}

/** A reply: an error's name, or the body of a return. */
export interface DbusReply {
  readonly replyTo: number;
  readonly error: string | undefined;
  readonly body: Buffer;
}

const maxMessage = 64 * 1024;
const methodReturn = 2;
const methodError = 3;

const pad = (length: number, to: number): Buffer => Buffer.alloc((to - (length % to)) % to);

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

const string = (text: string): Buffer => Buffer.concat([u32(Buffer.byteLength(text)), Buffer.from(`${text}\0`)]);
const signature = (text: string): Buffer => Buffer.from([text.length, ...Buffer.from(text), 0]);

function join(parts: readonly (readonly [alignment: number, bytes: Buffer])[]): Buffer {
  return parts.reduce((all, [alignment, bytes]) => Buffer.concat([all, pad(all.length, alignment), bytes]), Buffer.alloc(0));
}

/** Bytes of a call, little-endian. */
export function encodeCall(call: DbusCall): Buffer {
  const types = call.made?.signature ?? "s".repeat(call.strings?.length ?? 0) + (call.number === undefined ? "" : "u");
  const body = call.made?.bytes ?? join([...(call.strings ?? []).map((text) => [4, string(text)] as const), ...(call.number === undefined ? [] : [[4, u32(call.number)] as const])]);
  const field = (code: number, type: string, value: Buffer): readonly [number, Buffer] => {
    const head = Buffer.concat([Buffer.from([code]), signature(type)]);
    return [8, Buffer.concat([head, type === "g" ? Buffer.alloc(0) : pad(head.length, 4), value])];
  };
  const fields = join([
    field(1, "o", string(call.path)),
    field(2, "s", string(call.interface)),
    field(3, "s", string(call.member)),
    field(6, "s", string(call.destination)),
    ...(types === "" ? [] : [field(8, "g", signature(types))]),
  ]);
  const head = Buffer.concat([Buffer.from([0x6c, 1, 0, 1]), u32(body.length), u32(call.serial), u32(fields.length), fields]);
  return Buffer.concat([head, pad(head.length, 8), body]);
}

/** Arguments of `org.freedesktop.Notifications.Notify` (Desktop Notifications Specification 1.2): no actions, no hints, and the desktop's own time on screen. */
export function notifyBody(note: { readonly app: string; readonly title: string; readonly body: string }): DbusBody {
  const empty = u32(0);
  const parts = [string(note.app), u32(0), string(""), string(note.title), string(note.body), empty];
  const hints = join([...parts.map((bytes) => [4, bytes] as const), [4, empty]]);
  // The entries of a dictionary are aligned to 8 where there are none, too.
  return { signature: "susssasa{sv}i", bytes: join([[1, hints], [8, Buffer.alloc(0)], [4, u32(0xffff_ffff)]]) };
}

interface Fields {
  replyTo: number;
  error: string | undefined;
}

function readFields(bytes: Buffer): Fields {
  const found: Fields = { replyTo: 0, error: undefined };
  for (let at = 0; at < bytes.length; ) {
    at += (8 - (at % 8)) % 8;
    const code = bytes.readUInt8(at);
    const type = String.fromCharCode(bytes.readUInt8(at + 2));
    at += 4;
    if (type === "g") {
      at += bytes.readUInt8(at) + 2;
      continue;
    }
    at += (4 - (at % 4)) % 4;
    const value = bytes.readUInt32LE(at);
    at += 4;
    if (type === "u" && code === 5) found.replyTo = value;
    if (type === "s" || type === "o") {
      if (code === 4) found.error = bytes.toString("utf8", at, at + value);
      at += value + 1;
    }
  }
  return found;
}

/** Takes one message off the front of the bytes; undefined while it is not whole. Throws RangeError for what is not D-Bus. */
export function decodeMessage(bytes: Buffer): { readonly reply: DbusReply | undefined; readonly rest: Buffer } | undefined {
  if (bytes.length < 16) return undefined;
  if (bytes[0] !== 0x6c) throw new RangeError("not a little-endian D-Bus message");
  const bodyLength = bytes.readUInt32LE(4);
  const fieldsLength = bytes.readUInt32LE(12);
  const bodyStart = 16 + fieldsLength + pad(16 + fieldsLength, 8).length;
  const end = bodyStart + bodyLength;
  if (bodyLength > maxMessage || fieldsLength > maxMessage) throw new RangeError("D-Bus message too large");
  if (bytes.length < end) return undefined;
  const type = bytes[1];
  const rest = bytes.subarray(end);
  if (type !== methodReturn && type !== methodError) return { reply: undefined, rest };
  const { replyTo, error } = readFields(bytes.subarray(16, 16 + fieldsLength));
  return { reply: { replyTo, error: type === methodError ? (error ?? "unknown") : undefined, body: bytes.subarray(bodyStart, end) }, rest };
}
