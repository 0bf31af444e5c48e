import { lineHash, readChain } from "./chain-line.ts";
import { readCheckpoint, verifyCheckpoint, type CheckpointLine } from "./checkpoint.ts";
import { readLines } from "./lines.ts";

/** A checkpoint as a witness has it. */
export interface Witnessed {
  readonly witness: string;
  /** Line of the witness's file, from 1. */
  readonly line: number;
  readonly checkpoint: CheckpointLine;
  /** Hash of the log's own line. */
  readonly hash: string;
}

/** What witnesses have, by server, chain and number. */
export interface Testimony {
  readonly checkpoints: ReadonlyMap<string, Witnessed>;
  /** What of the witnesses' own files is no checkpoint, or contradicts another. */
  readonly problems: readonly { readonly witness: string; readonly line: number; readonly text: string }[];
}

/** The place of a checkpoint in all logs. */
export function checkpointKey(server: string, chain: string, n: number): string {
  return `${server}/${chain}/${n}`;
}

const marker = '{"event":"audit.checkpoint"';
const maxCheckpoints = 5_000_000;
const maxProblems = 100;

/** The checkpoint in a line of a witness: alone, or behind what a syslog server puts in front of it. */
export function readWitnessLine(bytes: Buffer): { readonly checkpoint: CheckpointLine; readonly hash: string } | undefined {
  const start = bytes.indexOf(marker);
  const line = start < 0 ? bytes : bytes.subarray(start);
  const chain = readChain(line);
  if (start < 0 || !chain) return undefined;
  let event: unknown;
  try {
    event = JSON.parse(line.toString("utf8"));
  } catch {
    return undefined;
  }
  const checkpoint = readCheckpoint(event as Record<string, unknown>, chain);
  return checkpoint && verifyCheckpoint(checkpoint, checkpoint.signature) ? { checkpoint, hash: lineHash(line) } : undefined;
}

/** Reads the files of witnesses: one checkpoint a line, other lines of a system log between them. */
export async function readWitnesses(sources: readonly { readonly name: string; read(): AsyncIterable<Uint8Array> }[]): Promise<Testimony> {
  const checkpoints = new Map<string, Witnessed>();
  const problems: { witness: string; line: number; text: string }[] = [];
  for (const { name: witness, read } of sources) {
    let line = 0;
    for await (const batch of readLines(read())) {
      for (const { bytes, whole } of batch) {
        line += 1;
        const problem = take(bytes, whole, witness, line);
        if (problem !== undefined && problems.length < maxProblems) problems.push({ witness, line, text: problem });
      }
    }
  }
  return { checkpoints, problems };

  function take(bytes: Buffer, whole: boolean, witness: string, line: number): string | undefined {
    if (!bytes.includes("audit.checkpoint")) return undefined;
    const read = readWitnessLine(bytes);
    // The last line may be under way.
    if (!read) return whole ? "this is not a checkpoint whose signature is right" : undefined;
    const key = checkpointKey(read.checkpoint.server, read.checkpoint.chain.id, read.checkpoint.chain.n);
    const there = checkpoints.get(key);
    if (there && there.hash !== read.hash) return `another checkpoint than in ${there.witness}:${there.line}, for the same line of the log`;
    if (checkpoints.size >= maxCheckpoints) return "there are too many checkpoints to compare: give a shorter range";
    if (!there) checkpoints.set(key, { witness, line, ...read });
    return undefined;
  }
}
