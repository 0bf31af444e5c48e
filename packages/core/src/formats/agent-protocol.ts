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
  /** `contents`: key, comment and constraints; `parseAddedKey` reads them. */
  | { readonly type: "add"; readonly contents: Buffer }
  | { readonly type: "remove"; readonly blob: Buffer }
  | { readonly type: "remove-all" }
  | { readonly type: "lock" | "unlock"; readonly passphrase: Buffer }
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
    // Both may have constraints; the one is how a client says that its key has some, to agents that know none.
    case agentMessage.addIdentity:
    case agentMessage.addIdConstrained:
      return { type: "add", contents: reader.bytes(reader.remaining) };
    case agentMessage.removeIdentity: {
      const blob = reader.string();
      reader.end();
      return { type: "remove", blob };
    }
    case agentMessage.removeAllIdentities:
      reader.end();
      return { type: "remove-all" };
    case agentMessage.lock:
    case agentMessage.unlock: {
      const passphrase = reader.string();
      reader.end();
      return { type: number === agentMessage.lock ? "lock" : "unlock", passphrase };
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
    case "add":
      return payload(agentMessage.addIdConstrained).raw(request.contents).toBuffer();
    case "remove-all":
      return payload(agentMessage.removeAllIdentities).toBuffer();
    case "lock":
    case "unlock":
      return payload(agentMessage[request.type]).string(request.passphrase).toBuffer();
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
  /** The host's, in wire form. */
  readonly hostKey: Buffer;
  readonly sessionId: Buffer;
  /** Of the host key, over the session's id. */
  readonly signature: Buffer;
  /** The socket was forwarded to the host of this session, and what asks over it runs there. */
  readonly isForwarding: boolean;
}

/** Reads the contents of the extension `session-bind@openssh.com`. Nothing of it is verified here. Throws `bad_parameter`. */
export function parseSessionBind(contents: Uint8Array): AgentSessionBind {
  const reader = new SshReader(contents, "the request to bind the SSH agent to a session");
  const bind = { hostKey: reader.string(), sessionId: reader.string(), signature: reader.string(), isForwarding: reader.boolean() };
  reader.end();
  return bind;
}
