import { SshReader, SshWriter } from "./ssh-wire.ts";

/** Numbers of the messages of the SSH connection protocol (RFC 4250 §4.1.2). */
export const sshMessageNumber = {
  globalRequest: 80,
  requestSuccess: 81,
  requestFailure: 82,
  channelOpen: 90,
  channelOpenConfirmation: 91,
  channelOpenFailure: 92,
  channelWindowAdjust: 93,
  channelData: 94,
  channelExtendedData: 95,
  channelEof: 96,
  channelClose: 97,
  channelRequest: 98,
  channelSuccess: 99,
  channelFailure: 100,
} as const;

/** Reasons of a refused channel (RFC 4254 §5.1). */
export const channelOpenFailure = { prohibited: 1, connectFailed: 2, unknownType: 3, shortage: 4 } as const;

/**
 * A message of the connection protocol (RFC 4254). `channel` is the number that the message's receiver gave the channel, `sender` the one that its
 * sender gives it. `data` is a view of the message: what follows the fields that all requests (or channels) of any type have.
 * Texts are outside text; bytes in them that are no UTF-8 are replaced.
 */
export type SshMessage =
  | { readonly type: "global_request"; readonly name: string; readonly wantReply: boolean; readonly data: Buffer }
  | { readonly type: "request_success"; readonly data: Buffer }
  | { readonly type: "request_failure" }
  | { readonly type: "channel_open"; readonly kind: string; readonly sender: number; readonly window: number; readonly maxPacket: number; readonly data: Buffer }
  | { readonly type: "channel_open_confirmation"; readonly channel: number; readonly sender: number; readonly window: number; readonly maxPacket: number; readonly data: Buffer }
  | { readonly type: "channel_open_failure"; readonly channel: number; readonly reason: number; readonly text: string }
  | { readonly type: "channel_window_adjust"; readonly channel: number; readonly bytes: number }
  | { readonly type: "channel_data"; readonly channel: number; readonly data: Buffer }
  /** `code` 1 is stderr. */
  | { readonly type: "channel_extended_data"; readonly channel: number; readonly code: number; readonly data: Buffer }
  | { readonly type: "channel_eof" | "channel_close" | "channel_success" | "channel_failure"; readonly channel: number }
  | { readonly type: "channel_request"; readonly channel: number; readonly name: string; readonly wantReply: boolean; readonly data: Buffer };

/** Longest name of a request or of a kind of channel, bytes (RFC 4251 §6 has 64; some of OpenSSH's vendors do not count). */
const maxName = 256;

/**
 * Takes a message apart. Throws `bad_parameter` for one that is cut off, goes on after its end, or is of another number than
 * {@link sshMessageNumber} has.
 */
export function parseSshMessage(payload: Uint8Array): SshMessage {
  const reader = new SshReader(payload, "SSH message");
  const number = reader.byte();
  switch (number) {
    case sshMessageNumber.channelData:
      return whole(reader, { type: "channel_data", channel: reader.uint32(), data: reader.string() });
    case sshMessageNumber.channelExtendedData:
      return whole(reader, { type: "channel_extended_data", channel: reader.uint32(), code: reader.uint32(), data: reader.string() });
    case sshMessageNumber.channelWindowAdjust:
      return whole(reader, { type: "channel_window_adjust", channel: reader.uint32(), bytes: reader.uint32() });
    case sshMessageNumber.channelEof:
      return whole(reader, { type: "channel_eof", channel: reader.uint32() });
    case sshMessageNumber.channelClose:
      return whole(reader, { type: "channel_close", channel: reader.uint32() });
    case sshMessageNumber.channelSuccess:
      return whole(reader, { type: "channel_success", channel: reader.uint32() });
    case sshMessageNumber.channelFailure:
      return whole(reader, { type: "channel_failure", channel: reader.uint32() });
    case sshMessageNumber.channelRequest:
      return { type: "channel_request", channel: reader.uint32(), name: nameOf(reader), wantReply: reader.boolean(), data: reader.bytes(reader.remaining) };
    case sshMessageNumber.globalRequest:
      return { type: "global_request", name: nameOf(reader), wantReply: reader.boolean(), data: reader.bytes(reader.remaining) };
    case sshMessageNumber.requestSuccess:
      return { type: "request_success", data: reader.bytes(reader.remaining) };
    case sshMessageNumber.requestFailure:
      return whole(reader, { type: "request_failure" });
    case sshMessageNumber.channelOpen:
      return { type: "channel_open", kind: nameOf(reader), sender: reader.uint32(), window: reader.uint32(), maxPacket: reader.uint32(), data: reader.bytes(reader.remaining) };
    case sshMessageNumber.channelOpenConfirmation:
      return { type: "channel_open_confirmation", channel: reader.uint32(), sender: reader.uint32(), window: reader.uint32(), maxPacket: reader.uint32(), data: reader.bytes(reader.remaining) };
    case sshMessageNumber.channelOpenFailure: {
      const message = { type: "channel_open_failure", channel: reader.uint32(), reason: reader.uint32(), text: reader.string().toString("utf8") } as const;
      reader.string();
      return whole(reader, message);
    }
    default:
      throw reader.error(`number ${String(number)} is none of the connection protocol`);
  }
}

/** A message's bytes. The inverse of {@link parseSshMessage}. */
export function encodeSshMessage(message: SshMessage): Buffer {
  const start = (number: number): SshWriter => new SshWriter().byte(number);
  switch (message.type) {
    case "channel_data":
      return start(sshMessageNumber.channelData).uint32(message.channel).string(message.data).toBuffer();
    case "channel_extended_data":
      return start(sshMessageNumber.channelExtendedData).uint32(message.channel).uint32(message.code).string(message.data).toBuffer();
    case "channel_window_adjust":
      return start(sshMessageNumber.channelWindowAdjust).uint32(message.channel).uint32(message.bytes).toBuffer();
    case "channel_eof":
      return start(sshMessageNumber.channelEof).uint32(message.channel).toBuffer();
    case "channel_close":
      return start(sshMessageNumber.channelClose).uint32(message.channel).toBuffer();
    case "channel_success":
      return start(sshMessageNumber.channelSuccess).uint32(message.channel).toBuffer();
    case "channel_failure":
      return start(sshMessageNumber.channelFailure).uint32(message.channel).toBuffer();
    case "channel_request":
      return start(sshMessageNumber.channelRequest).uint32(message.channel).string(message.name).boolean(message.wantReply).raw(message.data).toBuffer();
    case "global_request":
      return start(sshMessageNumber.globalRequest).string(message.name).boolean(message.wantReply).raw(message.data).toBuffer();
    case "request_success":
      return start(sshMessageNumber.requestSuccess).raw(message.data).toBuffer();
    case "request_failure":
      return start(sshMessageNumber.requestFailure).toBuffer();
    case "channel_open":
      return start(sshMessageNumber.channelOpen).string(message.kind).uint32(message.sender).uint32(message.window).uint32(message.maxPacket).raw(message.data).toBuffer();
    case "channel_open_confirmation":
      return start(sshMessageNumber.channelOpenConfirmation).uint32(message.channel).uint32(message.sender).uint32(message.window).uint32(message.maxPacket).raw(message.data).toBuffer();
    case "channel_open_failure":
      return start(sshMessageNumber.channelOpenFailure).uint32(message.channel).uint32(message.reason).string(message.text).string("").toBuffer();
  }
}

function nameOf(reader: SshReader): string {
  const name = reader.string();
  if (name.length > maxName) throw reader.error(`a name of ${name.length} bytes`);
  return name.toString("utf8");
}

function whole<Message extends SshMessage>(reader: SshReader, message: Message): Message {
  reader.end();
  return message;
}
