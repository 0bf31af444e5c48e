import { SshReader, SshWriter } from "../formats/index.ts";

/** Message numbers (RFC 4250 §4.1.2) that the transport itself handles. */
export const message = {
  disconnect: 1,
  ignore: 2,
  unimplemented: 3,
  debug: 4,
  serviceRequest: 5,
  serviceAccept: 6,
  extInfo: 7,
  kexInit: 20,
  userauthRequest: 50,
  userauthFailure: 51,
  userauthSuccess: 52,
  userauthBanner: 53,
  userauthPkOk: 60,
  globalRequest: 80,
  requestSuccess: 81,
  requestFailure: 82,
} as const;

/** The first message of the connection protocol. */
export const firstConnectionMessage = message.globalRequest;

/** A writer that has the message's number in it. */
export function newMessage(number: number): SshWriter {
  return new SshWriter().raw(Buffer.of(number));
}

/** A reader of what follows the number. */
export function readMessage(payload: Buffer, what: string): SshReader {
  return new SshReader(payload.subarray(1), what);
}
