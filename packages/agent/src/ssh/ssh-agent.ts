import { GatehouseError } from "@gatehouse/core/base";
import { agentClients, agentDialogue, upstreamAgent, type AgentClients } from "@gatehouse/core/client/ssh";
import type { AgentContext, AgentLock, AgentLogins, SshAgent } from "../parts.ts";
import { takeOverPath, type OwnedPath } from "../take-over.ts";
import { KeyRing } from "./added-keys.ts";
import { askToUse, type AskToUse } from "./askpass.ts";
import { chooseUpstream, ownSocket } from "./upstream-choice.ts";

/** Who may be connected at once, unless it is said. */
const usualClients = 1024;
/** Whose keys are served, as they are stored at each request. */
export type ServedLogins = Pick<AgentLogins, "keys"> & Partial<Pick<AgentLogins, "refresh">>;

/** How often keys whose time is over are forgotten, ms; nobody sees them in between. */
const sweepTime = 30_000;

/** What the agent is made with. */
export interface SshAgentOptions {
  /** Socket of the agent that was there before: `SSH_AUTH_SOCK` of whoever started this one. */
  readonly upstream: string | undefined;
  /** Whether the person is asked before a login's key signs; read each time. */
  readonly confirm?: (() => boolean) | undefined;
  /** How a person is asked; `SSH_ASKPASS` of the context's environment otherwise. */
  readonly ask?: AskToUse | undefined;
  /** ms that a client may take for the rest of a request, and to take its answers; and that the agent behind may take to list its keys. */
  readonly time?: number | undefined;
  readonly maxClients?: number | undefined;
}

class LocalSshAgent implements SshAgent {
  readonly #clients: AgentClients;
  readonly #context: AgentContext;
  readonly #ring: KeyRing;
  readonly #sweeper: NodeJS.Timeout;
  #upstream: string | undefined;
  /** The last one that was not this person's; told once. */
  #refused: string | undefined;
  #owned: OwnedPath | undefined;

  constructor(context: AgentContext, { keys, refresh }: ServedLogins, lock: AgentLock, options: SshAgentOptions) {
    const { ask = askToUse(context.env, context.log), confirm, time, maxClients = usualClients } = options;
    this.#context = context;
    const ring = new KeyRing({ clock: context.clock, ask, isLocked: () => lock.isLocked });
    this.#ring = ring;
    const mayUse = async (blob: Buffer): Promise<boolean> => {
      if (confirm?.() !== true) return true;
      const comment = keys.list().find((key) => key.blob.equals(blob))?.comment ?? "of a login";
      return ask({ blob, comment });
    };
    this.#clients = agentClients(maxClients, (socket) => agentDialogue(socket, { refresh, held: keys, added: ring, lock, mayUse, time, upstream: upstreamAgent(this.#upstream, { locate: ownSocket, time }) }));
    this.#sweeper = setInterval(() => ring.sweep(), sweepTime).unref();
  }

  async open(upstream: string | undefined): Promise<void> {
    this.#owned = await takeOverPath(this.#clients.server, this.#context.place.ssh, this.#context.random);
    // Only now is it known whether that leads back here.
    if (upstream !== undefined) await this.follow(upstream);
  }

  get addedKeys(): number {
    return this.#ring.size;
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
    this.#upstream = await chooseUpstream(this.#context.place.ssh, this.#upstream, path);
    if (path === "" || path === this.#upstream || path === this.#refused || (await ownSocket(path)) !== undefined) return;
    this.#refused = path;
    this.#context.log(`the ssh-agent at ${path} is not used: it is gone, or others can put another in its place`);
  }

  state(): unknown {
    return { upstream: this.#upstream ?? null, keys: this.#ring.state() };
  }

  restore(state: unknown): void {
    const { upstream, keys } = (state ?? {}) as { readonly upstream?: unknown; readonly keys?: unknown };
    if (upstream !== null && typeof upstream !== "string") throw new GatehouseError("bad_parameter", "the state of the SSH agent cannot be read");
    this.#ring.restore(keys);
    this.#upstream = upstream ?? this.#upstream;
  }

  async close(): Promise<void> {
    clearInterval(this.#sweeper);
    // First: what a client is told as done from here on would not be true of the agent that takes this one's place.
    this.#clients.close();
    this.#ring.clear();
    await this.#owned?.release();
  }
}

/** Offers the agent at the place's `ssh`. Throws `access_denied` where what is there is not this user's alone, `internal` where it cannot be offered. */
export async function createSshAgent(context: AgentContext, logins: ServedLogins, lock: AgentLock, options: SshAgentOptions): Promise<SshAgent> {
  const agent = new LocalSshAgent(context, logins, lock, options);
  try {
    await agent.open(options.upstream);
  } catch (error) {
    await agent.close();
    throw error;
  }
  return agent;
}
