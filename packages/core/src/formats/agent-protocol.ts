import { GatehouseError } from "../base/index.ts";
import { asBuffer } from "./bytes.ts";
import { SshReader, SshWriter } from "./ssh-wire.ts";

/** Numbers of ssh-agent messages (RFC 9987, before that draft-ietf-sshm-ssh-agent). */
export const agentMessage = {
  failure: 5,
  success: 6,
  requestIdentities: 11,
  identitiesAnswer: 12,
  signRequest: 13,
  signResponse: 14,
  addIdentity: 17,
  removeIdentity: 18,
  removeAllIdentities: 19,
  addSmartcardKey: 20,
  removeSmartcardKey: 21,
  lock: 22,
  unlock: 23,
  addIdConstrained: 25,
  addSmartcardKeyConstrained: 26,
  extension: 27,
  extensionFailure: 28,
  extensionResponse: 29,
} as const;

/** Flags of a sign request: which hash an RSA key signs with. */
export const agentFlags = { rsaSha256: 2, rsaSha512: 4 } as const;

/** Bounds of what is read: OpenSSH's own agent takes frames of 256 KiB and lists at most 2048 keys. */
export const agentLimits = { frame: 256 * 1024, identities: 2048, name: 256, comment: 4096 } as const;

/** A key that an agent holds. */
export interface AgentIdentity {
  /** Public key or certificate in SSH's wire form. */
  readonly blob: Buffer;
  readonly comment: string;
}

/** What a client asks. `other` is a message that only the agent which it is passed on to has to understand. */
export type AgentRequest =
  | { readonly type: "identities" }
  | { readonly type: "sign"; readonly blob: Buffer; readonly data: Buffer; readonly flags: number }
  | { readonly type: "remove"; readonly blob: Buffer }
  | { readonly type: "extension"; readonly name: string; readonly contents: Buffer }
  | { readonly type: "other"; readonly number: number };

/** What an agent answers. */
export type AgentResponse =
  | { readonly type: "success" | "failure" | "extension-failure" }
  | { readonly type: "identities"; readonly identities: readonly AgentIdentity[] }
  | { readonly type: "signature"; readonly signature: Buffer }
  | { readonly type: "other"; readonly number: number };

function readerOf(payload: Uint8Array, what: string): { readonly reader: SshReader; readonly number: number } {
  const reader = new SshReader(payload, what);
  if (payload.length > agentLimits.frame) throw reader.error(`larger than ${agentLimits.frame} bytes`);
  return { reader, number: reader.bytes(1).readUInt8() };
}

function bounded(reader: SshReader, text: string, limit: number): string {
  if (text.length > limit) throw reader.error(`a name of ${text.length} characters`);
  return text;
}

/** Reads a request's payload (a frame without its length). Throws `bad_parameter` for bytes that are none. */
export function parseAgentRequest(payload: Uint8Array): AgentRequest {
  const { reader, number } = readerOf(payload, "the request to the SSH agent");
  switch (number) {
    case agentMessage.requestIdentities:
      reader.end();
      return { type: "identities" };
    case agentMessage.signRequest: {
      const request = { type: "sign", blob: reader.string(), data: reader.string(), flags: reader.uint32() } as const;
      reader.end();
      return request;
    }
    case agentMessage.removeIdentity: {
      const blob = reader.string();
      reader.end();
      return { type: "remove", blob };
    }
    case agentMessage.extension:
      return { type: "extension", name: bounded(reader, reader.text(), agentLimits.name), contents: reader.bytes(reader.remaining) };
    default:
      return { type: "other", number };
  }
}

/** Reads an answer's payload. Comments are text of whoever added the key. Throws `bad_parameter`. */
export function parseAgentResponse(payload: Uint8Array): AgentResponse {
  const { reader, number } = readerOf(payload, "the SSH agent's answer");
  switch (number) {
    case agentMessage.success:
      reader.end();
      return { type: "success" };
    case agentMessage.failure:
      return { type: "failure" };
    case agentMessage.extensionFailure:
      return { type: "extension-failure" };
    case agentMessage.identitiesAnswer: {
      const count = reader.uint32();
      if (count > agentLimits.identities) throw reader.error(`${count} keys`);
      const identities: AgentIdentity[] = [];
      // A comment need not be UTF-8: it is whatever `ssh-add` was told.
      for (let index = 0; index < count; index++) identities.push({ blob: reader.string(), comment: reader.string().subarray(0, agentLimits.comment).toString("utf8") });
      reader.end();
      return { type: "identities", identities };
    }
    case agentMessage.signResponse: {
      const signature = reader.string();
      reader.end();
      return { type: "signature", signature };
    }
    default:
      return { type: "other", number };
  }
}

/** A request's payload. */
export function encodeAgentRequest(request: Exclude<AgentRequest, { readonly type: "other" }>): Buffer {
  const payload = (number: number): SshWriter => new SshWriter().raw(Buffer.of(number));
  switch (request.type) {
    case "identities":
      return payload(agentMessage.requestIdentities).toBuffer();
    case "sign":
      return payload(agentMessage.signRequest).string(request.blob).string(request.data).uint32(request.flags).toBuffer();
    case "remove":
      return payload(agentMessage.removeIdentity).string(request.blob).toBuffer();
    case "extension":
      return payload(agentMessage.extension).string(request.name).raw(request.contents).toBuffer();
  }
}

/** An answer's payload. */
export function encodeAgentResponse(response: Exclude<AgentResponse, { readonly type: "other" }>): Buffer {
  switch (response.type) {
    case "success":
      return Buffer.of(agentMessage.success);
    case "failure":
      return Buffer.of(agentMessage.failure);
    case "extension-failure":
      return Buffer.of(agentMessage.extensionFailure);
    case "identities": {
      const writer = new SshWriter().raw(Buffer.of(agentMessage.identitiesAnswer)).uint32(response.identities.length);
      for (const { blob, comment } of response.identities) writer.string(blob).string(comment);
      return writer.toBuffer();
    }
    case "signature":
      return new SshWriter().raw(Buffer.of(agentMessage.signResponse)).string(response.signature).toBuffer();
  }
}

/** A payload with its length before it: what goes over the socket. */
export function agentFrame(payload: Uint8Array): Buffer {
  return new SshWriter().string(payload).toBuffer();
}

/** What `session-bind@openssh.com` tells an agent (OpenSSH's PROTOCOL.agent §1): which session a socket belongs to. */
export interface AgentSessionBind {
  /** The socket was forwarded to the host of this session, and what asks over it runs there. */
  readonly isForwarding: boolean;
}

/** Reads the contents of the extension `session-bind@openssh.com`. Throws `bad_parameter`. */
export function parseSessionBind(contents: Uint8Array): AgentSessionBind {
  const reader = new SshReader(contents, "the request to bind the SSH agent to a session");
  for (let part = 0; part < 3; part++) reader.string();
  const isForwarding = reader.bytes(1).readUInt8() !== 0;
  reader.end();
  return { isForwarding };
}

/** Takes a stream apart into payloads, however it was cut up. */
export interface AgentFrames {
  /** The payloads that are whole now. Throws `limit_exceeded` for a frame that is too large, `bad_parameter` for an empty one; nothing after that can be read. */
  push(chunk: Uint8Array): readonly Buffer[];
  /** Bytes of a frame that is not whole yet. */
  readonly pending: number;
}

/** Frames of at most `limit` bytes; holds at most one of them, and copies a byte once. */
export function createAgentFrames(limit: number = agentLimits.frame): AgentFrames {
  let chunks: Buffer[] = [];
  let pending = 0;
  const head = (): number | undefined => {
    if (pending < 4) return undefined;
    // Once a frame, so that a peer that sends byte by byte costs no more than one that does not.
    if ((chunks[0]?.length ?? 0) < 4) chunks = [Buffer.concat(chunks)];
    const length = chunks[0]?.readUInt32BE() ?? 0;
    if (length === 0) throw new GatehouseError("bad_parameter", "an empty message to the SSH agent");
    if (length > limit) throw new GatehouseError("limit_exceeded", `a message to the SSH agent of ${length} bytes, where ${limit} are the most`);
    return length;
  };
  return {
    get pending() {
      return pending;
    },
    push(chunk) {
      const payloads: Buffer[] = [];
      chunks.push(asBuffer(chunk));
      pending += chunk.length;
      for (let length = head(); length !== undefined && pending >= 4 + length; length = head()) {
        const all = chunks.length === 1 ? (chunks[0] ?? Buffer.alloc(0)) : Buffer.concat(chunks);
        payloads.push(all.subarray(4, 4 + length));
        pending -= 4 + length;
        chunks = pending === 0 ? [] : [all.subarray(4 + length)];
      }
      return payloads;
    },
  };
}
