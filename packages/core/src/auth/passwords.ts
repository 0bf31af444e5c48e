import { hash, verify } from "@node-rs/argon2";
import { GatehouseError, type Random } from "../base/index.ts";
import type { PasswordCost } from "./types.ts";

/** Hashes passwords (argon2id, RFC 9106) and checks them, a few at a time. */
export interface Passwords {
  /** Throws `bad_parameter` for a password that is too short or too long. */
  hash(password: string): Promise<string>;
  /** Whether this is the password. Without a hash it takes as long and is false. */
  verify(hash: string | undefined, password: string): Promise<boolean>;
}

/** The functions that do the work. */
export interface PasswordHashes {
  readonly hash: typeof hash;
  readonly verify: typeof verify;
}

/** Least characters and most bytes (of UTF-8) of a password. */
export const passwordLength = { min: 8, max: 128 } as const;

/** OWASP's first choice for argon2id: 19 MiB, two passes. */
const defaultCost: PasswordCost = { memoryCost: 19_456, timeCost: 2, parallelism: 1 };

/** libuv has four threads, and the audit log needs one too. */
const maxRunning = 2;
const maxWaiting = 64;

/** Lets a few tasks run and a bounded number wait. */
function createGate(): <T>(task: () => Promise<T>) => Promise<T> {
  let running = 0;
  const waiting: (() => void)[] = [];
  return async (task) => {
    if (running >= maxRunning) {
      if (waiting.length >= maxWaiting) throw new GatehouseError("limit_exceeded", "too many people log in with a password at this moment", { hint: "try again in a few seconds" });
      // Whoever ends hands its place over.
      await new Promise<void>((resolve) => waiting.push(resolve));
    } else {
      running += 1;
    }
    try {
      return await task();
    } finally {
      const next = waiting.shift();
      if (next) next();
      else running -= 1;
    }
  };
}

/** Throws `bad_parameter` for a password that may not be set. */
function checkLength(password: string): void {
  if (Array.from(password).length < passwordLength.min) throw new GatehouseError("bad_parameter", `a password has at least ${passwordLength.min} characters`);
  if (Buffer.byteLength(password) > passwordLength.max) throw new GatehouseError("bad_parameter", `a password has at most ${passwordLength.max} bytes`);
}

/** Makes the hash that stands in for unknown users, once. */
export async function createPasswords(random: Random, cost: PasswordCost = defaultCost, hashes: PasswordHashes = { hash, verify }): Promise<Passwords> {
  const gate = createGate();
  const options = (): Parameters<typeof hash>[1] => ({ ...cost, salt: random(16) });
  const nobody = await hashes.hash(random(32), options());
  return {
    async hash(password) {
      checkLength(password);
      return gate(() => hashes.hash(password, options()));
    },
    async verify(stored, password) {
      const tooLong = Buffer.byteLength(password) > passwordLength.max;
      const matches = await gate(() => hashes.verify(stored ?? nobody, tooLong ? "" : password));
      return matches && stored !== undefined && !tooLong;
    },
  };
}
