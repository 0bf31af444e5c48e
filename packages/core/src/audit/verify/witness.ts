import { lineHash, readChain } from "./chain-line.ts";
import { checkpointText, readCheckpoint, verifyCheckpoint, type Checkpoint, type CheckpointLine } from "./checkpoint.ts";
import { readLines } from "./lines.ts";

/** A checkpoint as a witness has it: what is left of it once its signature was found right. */
export interface Witnessed {
  readonly witness: string;
  /** Line of the witness's file, from 1. */
  readonly line: number;
  readonly server: string;
  readonly chain: string;
  readonly n: number;
  readonly time: string;
  readonly seq: number;
  readonly key: string;
  readonly next: string;
  /** Hash of the line, and of what is signed in it. */
  readonly hash: string;
  readonly said: string;
}

/** Something about a line of a witness's file. */
export interface WitnessProblem {
  readonly witness: string;
  readonly line: number;
  /** Empty where the line does not say. */
  readonly server: string;
  readonly text: string;
}

/** What witnesses have. */
export interface Testimony {
  /** How many witnesses were asked. */
  readonly asked: number;
  /** By {@link checkpointKey}. */
  readonly checkpoints: ReadonlyMap<string, Witnessed>;
  /** The same by server, in the order of their numbers. */
  readonly servers: ReadonlyMap<string, readonly Witnessed[]>;
  /** Lines that are no whole checkpoint: a disk's or a network's doing, unless whole ones say otherwise. */
  readonly damaged: readonly WitnessProblem[];
  /** Signed checkpoints that cannot all be true. */
  readonly contradictions: readonly WitnessProblem[];
}

/** The place of a checkpoint in all logs. */
export function checkpointKey(server: string, chain: string, n: number): string {
  return `${server}/${chain}/${n}`;
}

/** Hash of all that a checkpoint's signature covers. */
export function saidBy(checkpoint: Checkpoint): string {
  return lineHash(checkpointText(checkpoint));
}

/** How every checkpoint's line begins. No string within a line can have it: its quotes would be escaped. */
export const checkpointMarker = '{"event":"audit.checkpoint"';
const maxCheckpoints = 1_000_000;
const maxProblems = 100;

/** The checkpoint in a line of a witness: alone, or behind what a syslog server, or a write that was cut short, put in front of it. */
export function readWitnessLine(bytes: Buffer): { readonly checkpoint: CheckpointLine; readonly hash: string; readonly said: string } | undefined {
  const start = bytes.lastIndexOf(checkpointMarker);
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
  return checkpoint && verifyCheckpoint(checkpoint, checkpoint.signature) ? { checkpoint, hash: lineHash(line), said: saidBy(checkpoint) } : undefined;
}

/** Where checkpoints of a server cannot follow one another: each names the key that signs the next one, and each number is given once. */
function contradictionsOf(all: readonly Witnessed[]): readonly WitnessProblem[] {
  const found: WitnessProblem[] = [];
  for (const [index, one] of all.entries()) {
    const before = all[index - 1];
    if (!before || found.length >= maxProblems) continue;
    const { witness, line, server } = one;
    const there = `${before.witness}:${before.line}`;
    if (one.seq === before.seq) found.push({ witness, line, server, text: `checkpoint ${one.seq} is another one than in ${there}: two logs were written in this server's name` });
    else if (one.seq === before.seq + 1 && one.key !== before.next) found.push({ witness, line, server, text: `checkpoint ${one.seq} is signed with another key than the one before it, in ${there}, has announced` });
  }
  return found;
}

/** Reads the files of witnesses: one checkpoint a line, other lines of a system log between them. Only those of `from` up to `to` (RFC 3339) are kept. */
export async function readWitnesses(
  sources: readonly { readonly name: string; read(): AsyncIterable<Uint8Array> }[],
  range: { readonly from: string | undefined; readonly to: string | undefined },
): Promise<Testimony> {
  const checkpoints = new Map<string, Witnessed>();
  const damaged: WitnessProblem[] = [];
  const contradictions: WitnessProblem[] = [];
  const others = new Set<string>();
  for (const { name: witness, read } of sources) {
    let line = 0;
    for await (const batch of readLines(read())) {
      for (const { bytes, whole } of batch) {
        line += 1;
        if (bytes.includes(checkpointMarker)) take(bytes, whole, witness, line);
      }
    }
  }
  const servers = new Map<string, Witnessed[]>();
  for (const one of checkpoints.values()) {
    const all = servers.get(one.server);
    if (all) all.push(one);
    else servers.set(one.server, [one]);
  }
  for (const all of servers.values()) contradictions.push(...contradictionsOf(all.sort((a, b) => a.seq - b.seq)));
  return { asked: sources.length, checkpoints, servers, damaged, contradictions };

  function take(bytes: Buffer, whole: boolean, witness: string, line: number): void {
    const read = readWitnessLine(bytes);
    if (!read) {
      // The last line may be under way.
      if (whole && damaged.length < maxProblems) damaged.push({ witness, line, server: "", text: "this is not a whole checkpoint whose signature is right, and does not count" });
      return;
    }
    const { hash, said, checkpoint } = read;
    const { server, time, seq, key, next, chain } = checkpoint;
    if ((range.from !== undefined && time < range.from) || (range.to !== undefined && time >= range.to)) return;
    const id = checkpointKey(server, chain.id, chain.n);
    const there = checkpoints.get(id);
    if (there?.said === said) return;
    if (there) {
      // Told once for each that is another.
      if (contradictions.length >= maxProblems || others.has(said)) return;
      others.add(said);
      contradictions.push({ witness, line, server, text: `another checkpoint than in ${there.witness}:${there.line}, for the same line of the log` });
    } else if (checkpoints.size >= maxCheckpoints) {
      if (contradictions.length < maxProblems && !others.has("")) contradictions.push({ witness, line, server, text: `there are more than ${maxCheckpoints} checkpoints to compare: give a shorter range` });
      others.add("");
    } else {
      checkpoints.set(id, { witness, line, server, chain: chain.id, n: chain.n, time, seq, key, next, hash, said });
    }
  }
}
