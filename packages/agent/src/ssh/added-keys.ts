import { createPrivateKey, type KeyObject } from "node:crypto";
import { GatehouseError, type Clock } from "@gatehouse/core/base";
import type { AddedKeys, SessionBindings } from "@gatehouse/core/client/ssh";
import { agentFlags, agentLimits, sshSign, type AgentIdentity, type AgentRequest } from "@gatehouse/core/formats/ssh";
import { parseAddedKey, parseAgentDestinations, type AgentDestination } from "@gatehouse/core/formats/ssh-agent";
import type { AskToUse } from "./askpass.ts";
import { mayBeSeen, maySign } from "./destinations.ts";

const maxKeys = agentLimits.identities / 2;

interface Kept extends AgentIdentity {
  readonly privateKey: KeyObject;
  /** ms since the epoch. */
  readonly expires: number;
  readonly confirm: boolean;
  readonly destinations: readonly AgentDestination[] | undefined;
  readonly encodedDestinations: Buffer | undefined;
}

/** One key as another agent restores it. */
interface KeyState {
  readonly blob: string;
  readonly key: string;
  readonly comment: string;
  /** Null for ever: JSON has no infinity. */
  readonly expires: number | null;
  readonly confirm: boolean;
  readonly destinations: string | null;
}

/** What the keys need of the agent. */
export interface KeyRingOptions {
  readonly clock: Clock;
  readonly ask: AskToUse;
  readonly isLocked: () => boolean;
}

const unreadable = (): GatehouseError => new GatehouseError("bad_parameter", "the state of the SSH agent's keys cannot be read");

function read(state: unknown): Kept {
  const { blob, key, comment, expires, confirm, destinations } = (state ?? {}) as Partial<Record<keyof KeyState, unknown>>;
  if (typeof blob !== "string" || typeof key !== "string" || typeof comment !== "string" || typeof confirm !== "boolean") throw unreadable();
  if ((expires !== null && typeof expires !== "number") || (destinations !== null && typeof destinations !== "string")) throw unreadable();
  const der = Buffer.from(key, "base64");
  const encodedDestinations = destinations === null ? undefined : Buffer.from(destinations, "base64");
  try {
    return {
      blob: Buffer.from(blob, "base64"),
      privateKey: createPrivateKey({ key: der, format: "der", type: "pkcs8" }),
      comment,
      expires: expires ?? Infinity,
      confirm,
      destinations: encodedDestinations && parseAgentDestinations(encodedDestinations),
      encodedDestinations,
    };
  } catch {
    // OpenSSL's own words may be about the key.
    throw unreadable();
  } finally {
    der.fill(0);
  }
}

/** Keys of `ssh-add` in memory. They leave it for another agent of this person's alone. */
export class KeyRing implements AddedKeys {
  readonly #options: KeyRingOptions;
  readonly #keys = new Map<string, Kept>();

  constructor(options: KeyRingOptions) {
    this.#options = options;
  }

  /** How many there are. */
  get size(): number {
    this.sweep();
    return this.#keys.size;
  }

  /** Forgets those whose time is over. */
  sweep(): void {
    const now = this.#options.clock.now();
    for (const [name, { expires }] of this.#keys) if (expires <= now) this.#keys.delete(name);
  }

  #find(blob: Buffer): Kept | undefined {
    const key = this.#keys.get(blob.toString("latin1"));
    return key && key.expires > this.#options.clock.now() ? key : undefined;
  }

  #isSeen(key: Kept, sessions: SessionBindings): boolean {
    return mayBeSeen(key.destinations, sessions, this.#options.clock.now());
  }

  list(sessions: SessionBindings): readonly AgentIdentity[] {
    this.sweep();
    return [...this.#keys.values()].filter((key) => this.#isSeen(key, sessions));
  }

  has(blob: Buffer): boolean {
    return this.#find(blob) !== undefined;
  }

  async sign(request: AgentRequest & { readonly type: "sign" }, sessions: SessionBindings): Promise<Buffer | undefined> {
    const { clock, ask, isLocked } = this.#options;
    const key = this.#find(request.blob);
    if (!key || !maySign(key.destinations, sessions, request, clock.now())) return undefined;
    if (key.confirm) {
      // Removed, replaced, expired or locked away while the person was asked: what they said is about nothing any more.
      if (!(await ask(key)) || this.#find(request.blob) !== key || isLocked()) return undefined;
    }
    return sshSign(key.privateKey, request.data, (request.flags & agentFlags.rsaSha256) === 0 ? "sha512" : "sha256");
  }

  add(contents: Buffer, sessions: SessionBindings): boolean {
    const { blob, privateKey, comment, lifetime, confirm, destinations, encodedDestinations } = parseAddedKey(contents);
    const before = this.#find(blob);
    if (before ? !this.#isSeen(before, sessions) : this.size >= maxKeys) return false;
    const expires = lifetime === undefined ? Infinity : this.#options.clock.now() + lifetime * 1000;
    this.#keys.set(blob.toString("latin1"), { blob, privateKey, comment, expires, confirm, destinations, encodedDestinations });
    return true;
  }

  remove(blob: Buffer, sessions: SessionBindings): boolean {
    const key = this.#find(blob);
    return key !== undefined && this.#isSeen(key, sessions) && this.#keys.delete(blob.toString("latin1"));
  }

  clear(): void {
    this.#keys.clear();
  }

  /** All keys, private halves and all. */
  state(): readonly KeyState[] {
    this.sweep();
    return [...this.#keys.values()].map(({ blob, privateKey, comment, expires, confirm, encodedDestinations }) => {
      const der = privateKey.export({ format: "der", type: "pkcs8" });
      const key = der.toString("base64");
      der.fill(0);
      return { blob: blob.toString("base64"), key, comment, expires: expires === Infinity ? null : expires, confirm, destinations: encodedDestinations?.toString("base64") ?? null };
    });
  }

  /** Throws `bad_parameter` for what is no state, and then has none of it. */
  restore(state: unknown): void {
    if (!Array.isArray(state) || state.length > maxKeys) throw unreadable();
    for (const key of state.map(read)) this.#keys.set(key.blob.toString("latin1"), key);
  }
}
