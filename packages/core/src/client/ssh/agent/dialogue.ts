import type { Duplex } from "node:stream";
import {
  agentFrame,
  agentLimits,
  agentMessage,
  createAgentFrames,
  encodeAgentResponse,
  parseAgentRequest,
  parseAgentResponse,
  parseSessionBind,
  type AgentIdentity,
  type AgentRequest,
} from "../../../formats/ssh/index.ts";
import type { HeldKeys } from "./held-keys.ts";
import type { UpstreamAgent } from "./upstream.ts";

const failure = encodeAgentResponse({ type: "failure" });
const success = encodeAgentResponse({ type: "success" });
const extensionFailure = encodeAgentResponse({ type: "extension-failure" });

/** What one client of an agent is answered from. */
export interface DialogueOptions {
  readonly held: HeldKeys;
  readonly upstream: UpstreamAgent;
  /** Told when one of the held keys has signed. */
  readonly onSigned?: (() => void) | undefined;
}

/** Answers one request after the other, as one client sends them. */
class Dialogue {
  readonly #options: DialogueOptions;
  /** Once the socket is bound to a host that it was forwarded to, what asks is that host: the keys of this agent are not for it. */
  #forwarded = false;

  constructor(options: DialogueOptions) {
    this.#options = options;
  }

  async answer(payload: Buffer): Promise<Buffer> {
    const request = parseAgentRequest(payload);
    const { held, upstream } = this.#options;
    switch (request.type) {
      case "identities":
        return this.#list(payload);
      case "sign":
        if (held.has(request.blob)) return this.#sign(request.blob, request.data);
        break;
      case "remove":
        if (held.has(request.blob)) return failure;
        break;
      case "extension":
        return this.#extension(request, payload);
      case "other":
        break;
    }
    return (await upstream.ask(payload)) ?? failure;
  }

  #sign(blob: Buffer, data: Buffer): Buffer {
    const signature = this.#forwarded ? undefined : this.#options.held.sign(blob, data);
    if (!signature) return failure;
    this.#options.onSigned?.();
    return encodeAgentResponse({ type: "signature", signature });
  }

  async #list(payload: Buffer): Promise<Buffer> {
    const { held, upstream } = this.#options;
    const own = this.#forwarded ? [] : held.list();
    const answer = await upstream.ask(payload);
    if (own.length === 0) return answer ?? encodeAgentResponse({ type: "identities", identities: [] });
    const identities = [...own, ...listed(answer).filter(({ blob }) => !held.has(blob))].slice(0, agentLimits.identities);
    return encodeAgentResponse({ type: "identities", identities });
  }

  async #extension(request: AgentRequest & { readonly type: "extension" }, payload: Buffer): Promise<Buffer> {
    const answer = await this.#options.upstream.ask(payload);
    if (request.name !== "session-bind@openssh.com") return answer ?? extensionFailure;
    this.#forwarded ||= parseSessionBind(request.contents).isForwarding;
    // It is known here, whatever the agent behind makes of it.
    return success;
  }
}

/** The keys in an answer of another agent; none where it is no list. */
function listed(answer: Buffer | undefined): readonly AgentIdentity[] {
  if (answer?.[0] !== agentMessage.identitiesAnswer) return [];
  try {
    const response = parseAgentResponse(answer);
    return response.type === "identities" ? response.identities : [];
  } catch {
    // What another agent says wrong takes nothing from the keys that are here.
    return [];
  }
}

/**
 * Speaks with one client until it goes, or breaks the protocol: then its socket is destroyed. One request is under way at a time; nothing more is read
 * until it is answered and the answer is taken.
 */
export async function agentDialogue(socket: Duplex, options: DialogueOptions): Promise<void> {
  const dialogue = new Dialogue(options);
  const frames = createAgentFrames();
  try {
    for await (const chunk of socket as AsyncIterable<Buffer>) {
      for (const payload of frames.push(chunk)) {
        const answer = agentFrame(await dialogue.answer(payload));
        if (!socket.write(answer)) await new Promise<void>((resolve) => socket.once("drain", resolve).once("close", resolve));
      }
    }
    socket.end();
  } finally {
    options.upstream.close();
    socket.destroy();
  }
}
