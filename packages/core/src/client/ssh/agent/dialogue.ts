import { GatehouseError } from "../../../base/index.ts";
import { agentLimits, agentMessage, encodeAgentResponse, parseAgentRequest, parseAgentResponse, type AgentIdentity, type AgentRequest } from "../../../formats/ssh/index.ts";
import type { AddedKeys, DialogueLock } from "./added-keys.ts";
import { BoundSessions } from "./bindings.ts";
import type { HeldKeys } from "./held-keys.ts";
import type { UpstreamAgent } from "./upstream.ts";

const failure = encodeAgentResponse({ type: "failure" });
const success = encodeAgentResponse({ type: "success" });
const extensionFailure = encodeAgentResponse({ type: "extension-failure" });
const noIdentities = encodeAgentResponse({ type: "identities", identities: [] });

/** What one client of an agent is answered from. */
export interface DialogueOptions {
  readonly held: HeldKeys;
  readonly upstream: UpstreamAgent;
  /** Where clients' keys go that no agent behind takes; without it they are refused. */
  readonly added?: AddedKeys | undefined;
  /** Without it, locking is the agent's behind. */
  readonly lock?: DialogueLock | undefined;
  /** Whether a held key may sign now. */
  readonly mayUse?: ((blob: Buffer) => Promise<boolean>) | undefined;
  /** Told when one of the held keys has signed. */
  readonly onSigned?: (() => void) | undefined;
}

const lockedAnswer = ({ type }: AgentRequest): Buffer => (type === "identities" ? noIdentities : failure);

/** Whether it came to an end without an error of ours. */
async function succeeds(work: () => Promise<void> | boolean): Promise<boolean> {
  try {
    return (await work()) !== false;
  } catch (error) {
    if (error instanceof GatehouseError) return false;
    throw error;
  }
}

/** Answers one request after the other, as one client sends them. */
export class Dialogue {
  readonly #options: DialogueOptions;
  readonly #sessions = new BoundSessions();

  constructor(options: DialogueOptions) {
    this.#options = options;
  }

  /** A method: it changes while others are asked. */
  #isLocked(): boolean {
    return this.#options.lock?.isLocked === true;
  }

  /** The answer's payload. Overwrites a request that carried a secret. Throws `bad_parameter` for a request that is none. */
  async answer(payload: Buffer): Promise<Buffer> {
    const request = parseAgentRequest(payload);
    const { lock } = this.#options;
    try {
      if (request.type === "extension") return await this.#extension(request, payload);
      // The root of a host that it was forwarded to could keep its person out of everything that the agent gives, and try passphrases.
      if (lock && this.#sessions.isForwarded && (request.type === "lock" || request.type === "unlock")) return failure;
      if (lock && (request.type === "lock" || request.type === "unlock")) return (await succeeds(() => lock[request.type](request.passphrase))) ? success : failure;
      if (this.#isLocked()) return lockedAnswer(request);
      const answer = await this.#answerOpen(request, payload);
      // It may have been locked while the agent behind was asked, or the person.
      return this.#isLocked() ? lockedAnswer(request) : answer;
    } finally {
      if (request.type === "add" || request.type === "lock" || request.type === "unlock") payload.fill(0);
    }
  }

  async #answerOpen(request: Exclude<AgentRequest, { readonly type: "extension" }>, payload: Buffer): Promise<Buffer> {
    const { held, added, upstream } = this.#options;
    const sessions = this.#sessions;
    switch (request.type) {
      case "identities":
        return this.#list(payload);
      case "sign":
        if (held.has(request.blob) || added?.has(request.blob) === true) return this.#sign(request);
        break;
      case "remove":
        if (held.has(request.blob)) return failure;
        if (added?.has(request.blob) === true) return added.remove(request.blob, sessions) ? success : failure;
        break;
      case "remove-all":
        added?.clear();
        return (await upstream.ask(payload)) ?? (added ? success : failure);
      case "add": {
        const answer = await upstream.ask(payload);
        if (answer || !added || this.#isLocked()) return answer ?? failure;
        return (await succeeds(() => added.add(request.contents, sessions))) ? success : failure;
      }
      case "lock":
      case "unlock":
      case "other":
        break;
    }
    return (await upstream.ask(payload)) ?? failure;
  }

  async #sign(request: AgentRequest & { readonly type: "sign" }): Promise<Buffer> {
    const signature = this.#options.held.has(request.blob) ? await this.#signHeld(request) : await this.#options.added?.sign(request, this.#sessions);
    return signature ? encodeAgentResponse({ type: "signature", signature }) : failure;
  }

  async #signHeld({ blob, data }: AgentRequest & { readonly type: "sign" }): Promise<Buffer | undefined> {
    const { held, mayUse, onSigned } = this.#options;
    if (this.#sessions.isForwarded) return undefined;
    if (mayUse && !(await mayUse(blob))) return undefined;
    // It may have been locked while the person was asked.
    const signature = this.#isLocked() ? undefined : held.sign(blob, data);
    if (signature) onSigned?.();
    return signature;
  }

  async #list(payload: Buffer): Promise<Buffer> {
    const { held, added, upstream } = this.#options;
    const own = [...(this.#sessions.isForwarded ? [] : held.list()), ...(added?.list(this.#sessions) ?? [])];
    const answer = await upstream.ask(payload, true);
    if (own.length === 0) return answer ?? noIdentities;
    const known = (blob: Buffer): boolean => held.has(blob) || added?.has(blob) === true;
    const identities = [...own, ...listed(answer).filter(({ blob }) => !known(blob))].slice(0, agentLimits.identities);
    return encodeAgentResponse({ type: "identities", identities });
  }

  async #extension(request: AgentRequest & { readonly type: "extension" }, payload: Buffer): Promise<Buffer> {
    const isBind = request.name === "session-bind@openssh.com";
    // Even where it is locked: what asks over this socket is what it is, and stays so.
    const bound = isBind && this.#sessions.bind(request.contents);
    if (!isBind && this.#isLocked()) return failure;
    const answer = await this.#options.upstream.ask(payload, isBind);
    if (!isBind) return (this.#isLocked() ? failure : answer) ?? extensionFailure;
    // It is known here, whatever the agent behind makes of it.
    return bound ? success : failure;
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
