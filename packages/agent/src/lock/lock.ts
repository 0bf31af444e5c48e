import { scrypt, timingSafeEqual } from "node:crypto";
import { promisify } from "node:util";
import { setTimeout as sleep } from "node:timers/promises";
import { GatehouseError, createGate } from "@gatehouse/core/base";
import type { AgentContext, AgentLock } from "../parts.ts";

/** scrypt's N, r and p (RFC 7914): 32 MiB for about a tenth of a second. */
const cost = { N: 2 ** 15, r: 8, p: 1, maxmem: 64 * 1024 * 1024 } as const;
const lengths = { salt: 16, hash: 32 } as const;
/** ms that every wrong passphrase adds to the wait before the next answer, and the most: those of OpenSSH's agent. */
const slowing = { step: 100, most: 10_000 } as const;
/** Who may wait for an answer at once. */
const waiting = 8;

interface Kept {
  readonly salt: Buffer;
  readonly hash: Promise<Buffer>;
}

/** What tests set. */
export interface LockOptions {
  /** Waits this many ms. */
  readonly wait?: ((ms: number) => Promise<unknown>) | undefined;
}

const slowHash = promisify<Buffer, Buffer, number, typeof cost, Buffer>(scrypt);

/** Overwrites the passphrase, whatever comes of it. */
async function digest(passphrase: Buffer, salt: Buffer): Promise<Buffer> {
  try {
    return await slowHash(passphrase, salt, lengths.hash, cost);
  } finally {
    passphrase.fill(0);
  }
}

class PassphraseLock implements AgentLock {
  readonly #random: AgentContext["random"];
  readonly #log: AgentContext["log"];
  readonly #wait: (ms: number) => Promise<unknown>;
  /** One after the other: many at once are no way round the wait. */
  readonly #gate = createGate({ running: 1, waiting, what: "tries to unlock the agent" });
  #kept: Kept | undefined;
  #failures = 0;

  constructor({ random, log }: Pick<AgentContext, "random" | "log">, { wait = sleep }: LockOptions) {
    this.#random = random;
    this.#log = log;
    this.#wait = wait;
  }

  get isLocked(): boolean {
    return this.#kept !== undefined;
  }

  async lock(passphrase: Buffer): Promise<void> {
    if (passphrase.length === 0) throw new GatehouseError("bad_parameter", "an empty passphrase locks nothing");
    if (this.#kept) throw new GatehouseError("already_exists", "the local agent is locked already", { hint: "unlock: tsh agent unlock" });
    const salt = Buffer.from(this.#random(lengths.salt));
    const kept = { salt, hash: digest(passphrase, salt) };
    this.#kept = kept;
    try {
      await kept.hash;
    } catch (error) {
      // Without a hash no passphrase would ever open it.
      if (this.#kept === kept) this.#kept = undefined;
      throw error;
    }
    this.#log("locked");
  }

  async unlock(passphrase: Buffer): Promise<void> {
    try {
      await this.#gate.run(() => this.#try(passphrase));
    } finally {
      passphrase.fill(0);
    }
  }

  async #try(passphrase: Buffer): Promise<void> {
    const kept = this.#kept;
    if (!kept) throw new GatehouseError("not_found", "the local agent is not locked");
    const [asked, hash] = await Promise.all([digest(passphrase, kept.salt), kept.hash]);
    if (timingSafeEqual(asked, hash)) {
      this.#kept = undefined;
      this.#failures = 0;
      this.#log("unlocked");
      return;
    }
    this.#failures += 1;
    this.#log(`a wrong passphrase to unlock (${this.#failures} in a row)`);
    await this.#wait(Math.min(this.#failures * slowing.step, slowing.most));
    throw new GatehouseError("access_denied", "the passphrase is not the one that the local agent was locked with");
  }
}

/** A lock that is open. Time is the machine's: no clock that somebody sets makes a try quicker. */
export function createLock(context: Pick<AgentContext, "random" | "log">, options: LockOptions = {}): AgentLock {
  return new PassphraseLock(context, options);
}
