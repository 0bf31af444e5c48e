import { agentClients, agentDialogue, upstreamAgent, type AgentClients, type HeldKeys } from "@gatehouse/core/client/ssh";
import type { AgentContext, AgentLock, AgentLogins, SshAgent } from "../parts.ts";
import { listenAt, type OwnedPath } from "./listen.ts";

/** Who may be connected at once. */
const maxClients = 1024;

/** What the agent is made with. */
export interface SshAgentOptions {
  /** Socket of the agent that was there before: `SSH_AUTH_SOCK` of whoever started this one. */
  readonly upstream: string | undefined;
  /** Whether the person is asked before a login's key signs; read each time. */
  readonly confirm?: (() => boolean) | undefined;
}

class LocalSshAgent implements SshAgent {
  readonly #clients: AgentClients;
  readonly #context: AgentContext;
  #upstream: string | undefined;
  #owned: OwnedPath | undefined;

  constructor(context: AgentContext, logins: Pick<AgentLogins, "keys">, lock: AgentLock, options: SshAgentOptions) {
    const { keys } = logins;
    const held: HeldKeys = { list: () => (lock.isLocked ? [] : keys.list()), has: (blob) => keys.has(blob), sign: (blob, data) => (lock.isLocked ? undefined : keys.sign(blob, data)) };
    this.#context = context;
    this.#upstream = options.upstream === context.place.ssh ? undefined : options.upstream;
    this.#clients = agentClients(maxClients, (socket) => agentDialogue(socket, { held, upstream: upstreamAgent(this.#upstream) }));
  }

  async open(): Promise<void> {
    this.#owned = await listenAt(this.#clients.server, this.#context.place.ssh, this.#context.random);
  }

  get addedKeys(): number {
    return 0;
  }

  get clients(): number {
    return this.#clients.count;
  }

  get upstream(): string | undefined {
    return this.#upstream;
  }

  get isIdle(): boolean {
    return this.clients === 0 && this.addedKeys === 0;
  }

  async follow(path: string): Promise<void> {
    if (path !== this.#context.place.ssh) this.#upstream ??= path;
    return Promise.resolve();
  }

  state(): unknown {
    return { upstream: this.#upstream ?? null };
  }

  restore(state: unknown): void {
    const { upstream } = state as { readonly upstream?: unknown };
    if (typeof upstream === "string") this.#upstream ??= upstream;
  }

  async close(): Promise<void> {
    await this.#owned?.release();
    this.#clients.close();
  }
}

/** Offers the agent at the place's `ssh`. Throws `access_denied` where what is there is not this user's alone, `internal` where it cannot be offered. */
export async function createSshAgent(context: AgentContext, logins: Pick<AgentLogins, "keys">, lock: AgentLock, options: SshAgentOptions): Promise<SshAgent> {
  const agent = new LocalSshAgent(context, logins, lock, options);
  await agent.open();
  return agent;
}
