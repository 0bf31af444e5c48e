import type { Teller } from "./gaps.ts";
import { ServerCheck } from "./server.ts";
import type { Finding, LogSource, LogSourceFile, Note, ServerSummary, Verification } from "./types.ts";
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
  const start = from === undefined ? undefined : dayName(from);
  const stop = to === undefined ? undefined : dayName(Math.floor(to / dayMs) * dayMs + dayMs);
  // The day before too: its last checkpoint names the key of the first one that counts.
  const testimony = await readWitnesses(options.witnesses, { from: from === undefined ? undefined : dayName(from - dayMs), to: stop });
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
  for (const { witness, line, text, server } of testimony.contradictions) tellerOf(server).finding("witness", { file: witness, line }, text);
  for (const { witness, line, text, server } of testimony.damaged) tellerOf(server).note("witness", { file: witness, line }, text);
  const chosen = options.sources.map((source) => {
    const dayOf = ({ name }: LogSourceFile): string => name.slice(0, 10);
    const earlier = source.files.filter((file) => start !== undefined && dayOf(file) < start);
    const later = source.files.filter((file) => stop !== undefined && dayOf(file) >= stop);
    const files = source.files.filter((file) => !earlier.includes(file) && !later.includes(file));
    return { source: { ...source, recording: (name: string) => source.recording(name), files }, files, earlier, later };
  });
  const total = chosen.reduce((sum, { files }) => sum + files.reduce((bytes, { size }) => bytes + size, 0), 0);
  let done = 0;
  for (const { source, earlier, later } of chosen) {
    const check = new ServerCheck(
      source,
      {
        testimony,
        earlier,
        later,
        from: start,
        to: stop,
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
  for (const [server, all] of testimony.servers) {
    const one = all.findLast(({ time }) => start === undefined || time >= start);
    if (one && !known.has(server)) absent.set(server, `${one.witness}:${one.line}`);
  }
  for (const [server, where] of absent) tellerOf(server).finding("witness", undefined, `${where} saw a log of this server, and there is none`);
  return { unbroken: findings.length === 0, servers, findings, notes };
}
