import { createPublicKey, verify } from "node:crypto";
import type { ChainLink } from "./chain-line.ts";

/** What a checkpoint says: everything up to the line before it, and which key signs the next one. */
export interface Checkpoint {
  /** The server whose log it is in. */
  readonly server: string;
  /** Its own link: `prev` is the hash that it signs. */
  readonly chain: ChainLink;
  /** RFC 3339, as in the event. */
  readonly time: string;
  /** Counts the checkpoints of a server, over restarts. */
  readonly seq: number;
  /** Ed25519 public keys, 32 bytes in base64url: of this signature, and of the next one. */
  readonly key: string;
  readonly next: string;
  /** The process wrote it as it closed. */
  readonly last: boolean;
}

/** What is signed: one field a line, so that no two checkpoints have the same text. */
export function checkpointText(checkpoint: Checkpoint): string {
  const { server, chain, time, seq, key, next, last } = checkpoint;
  return ["gatehouse-audit-checkpoint-1", server, chain.id, chain.n, chain.prev, time, seq, key, next, last ? "last" : "live", ""].join("\n");
}

const spki = Buffer.from("302a300506032b6570032100", "hex");
const keyPattern = /^[A-Za-z0-9_-]{43}$/;
const signaturePattern = /^[A-Za-z0-9_-]{86}$/;

/** Whether the text is a public key as checkpoints write it. */
export function isKey(text: unknown): text is string {
  return typeof text === "string" && keyPattern.test(text);
}

/** Whether `signature` (base64url) is `checkpoint.key`'s over {@link checkpointText}. */
export function verifyCheckpoint(checkpoint: Checkpoint, signature: string): boolean {
  if (!signaturePattern.test(signature)) return false;
  const key = createPublicKey({ key: Buffer.concat([spki, Buffer.from(checkpoint.key, "base64url")]), format: "der", type: "spki" });
  return verify(null, Buffer.from(checkpointText(checkpoint)), key, Buffer.from(signature, "base64url"));
}

/** An `audit.checkpoint` line taken apart. */
export interface CheckpointLine extends Checkpoint {
  readonly signature: string;
}

/** The checkpoint that an event (parsed) with this link is; undefined where its fields have another shape. */
export function readCheckpoint(event: Readonly<Record<string, unknown>>, chain: ChainLink): CheckpointLine | undefined {
  const { server_id: server, time, seq, key, next, last, signature } = event;
  if (event["event"] !== "audit.checkpoint" || typeof server !== "string" || typeof time !== "string" || typeof seq !== "number" || !Number.isSafeInteger(seq)) return undefined;
  if (!isKey(key) || !isKey(next) || typeof signature !== "string" || /[\n]/.test(server + time)) return undefined;
  return { server, chain, time, seq, key, next, last: last === true, signature };
}
