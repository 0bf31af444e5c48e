import type { Teller } from "./gaps.ts";
import { ServerCheck } from "./server.ts";
import type { Finding, LogSource, Note, ServerSummary, Verification } from "./types.ts";
import { readWitnesses } from "./witness.ts";

/** Findings that are named; beyond them the log is broken and that is that. */
const maxFindings = 1000;
const maxNotes = 1000;
const dayMs = 86_400_000;

/** What to verify. */
export interface VerifyOptions {
  readonly sources: readonly LogSource[];
  /** Files with the checkpoints that witnesses have. */
  readonly witnesses: readonly { readonly name: string; read(): AsyncIterable<Uint8Array> }[];
  /** Days (UTC) that this range of ms since the epoch touches are looked at, and no others. */
  readonly from?: number | undefined;
  readonly to?: number | undefined;
  /** Told the bytes read so far, and all there are to read. */
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
}

const dayName = (time: number): string => new Date(time).toISOString().slice(0, 10);

/** Reads logs, recordings and witnesses from end to end, a piece at a time, and tells what does not hold. Throws what reading throws. */
export async function verifyLogs(options: VerifyOptions): Promise<Verification> {
  const { from, to, onProgress } = options;
  const findings: Finding[] = [];
  const notes: Note[] = [];
  const servers: ServerSummary[] = [];
  const testimony = await readWitnesses(options.witnesses);
  const tellerOf = (server: string): Teller => ({
    get full() {
      return findings.length >= maxFindings;
    },
    finding(kind, place, text, lines) {
      if (findings.length < maxFindings) findings.push({ kind, server, place, lines, text });
      else if (findings.length === maxFindings) findings.push({ kind: "many", server, place: undefined, lines: undefined, text: `more than ${maxFindings} things are wrong; these are the first` });
    },
    note(kind, place, text) {
      if (notes.length < maxNotes) notes.push({ kind, server, place, text });
    },
  });
  for (const { witness, line, text } of testimony.problems) tellerOf("").finding("witness", { file: witness, line }, text);
  const chosen = options.sources.map((source) => {
    const files = source.files.filter(({ name }) => (from === undefined || name.slice(0, 10) >= dayName(from)) && (to === undefined || name.slice(0, 10) <= dayName(to)));
    return { ...source, recording: (name: string) => source.recording(name), files, all: source.files };
  });
  const total = chosen.reduce((sum, { files }) => sum + files.reduce((bytes, { size }) => bytes + size, 0), 0);
  let done = 0;
  for (const source of chosen) {
    const check = new ServerCheck(
      source,
      {
        testimony,
        partialStart: source.files[0] !== source.all[0],
        from: from === undefined ? undefined : dayName(from),
        to: to === undefined ? undefined : dayName(Math.floor(to / dayMs) * dayMs + dayMs),
        onProgress(bytes) {
          done += bytes;
          onProgress?.(done, total);
        },
      },
      tellerOf(source.server),
    );
    servers.push(await check.run());
  }
  const known = new Set(servers.map(({ server }) => server));
  const absent = new Map<string, string>();
  for (const { checkpoint, witness, line } of testimony.checkpoints.values()) if (!known.has(checkpoint.server)) absent.set(checkpoint.server, `${witness}:${line}`);
  for (const [server, where] of absent) tellerOf(server).finding("witness", undefined, `${where} saw a log of this server, and there is none`);
  return { unbroken: findings.length === 0, servers, findings, notes };
}
