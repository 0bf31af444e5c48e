import { randomBytes, randomUUID } from "node:crypto";

/** A source of random bytes; injected where a test needs known ones. */
export type Random = (length: number) => Uint8Array;

/** The operating system's generator. */
export const systemRandom: Random = (length) => randomBytes(length);

/** Lower-case hex of `bytes` random bytes. */
export function randomHex(random: Random, bytes: number): string {
  return Buffer.from(random(bytes)).toString("hex");
}

/** A refusal id: eight hex digits that a person can read out and an auditor can search for. */
export function refusalId(random: Random = systemRandom): string {
  return randomHex(random, 4);
}

/** A random UUID (RFC 9562, version 4). */
export function uuid(): string {
  return randomUUID();
}
