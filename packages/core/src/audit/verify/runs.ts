import type { ChainLink } from "./chain-line.ts";
import type { Place } from "./types.ts";

/** What an `audit.start` says of the line before it. */
export interface Predecessor {
  readonly hash: string;
  readonly chain: string | undefined;
  readonly n: number | undefined;
}

/** Consecutive lines of one chain, each of which has the hash of the one before it. A log that nobody touched has one run a process. */
export interface Run {
  /** Absent where the lines have no link at all; then `first` and `last` mean nothing. */
  readonly id: string | undefined;
  readonly first: number;
  last: number;
  /** The link of the first line. */
  readonly prev: string;
  /** Hash of the last line. */
  hash: string;
  readonly start: Place;
  end: Place;
  count: number;
  /** Of a run that begins with `audit.start`: what it says, null where it says that nothing was before it. */
  readonly previous: Predecessor | null | undefined;
  /** Set where a gap's analysis has told of it. */
  told?: boolean;
}

/** Lines that can still be cut off the run under way. */
const ring = 1024;
/** More runs than this are not an accident, and not worth naming. */
export const maxRuns = 100_000;

/** Gathers lines, in the order of the files, into runs. */
export class RunBuilder {
  readonly runs: Run[] = [];
  readonly #recent = new Map<number, { readonly hash: string; readonly prev: string; readonly place: Place }>();

  /** Whether there are too many runs; further lines are not taken. */
  get full(): boolean {
    return this.runs.length >= maxRuns;
  }

  add(link: ChainLink | undefined, hash: string, place: Place, previous: Predecessor | null | undefined): void {
    const run = this.runs.at(-1);
    if (run && (link === undefined ? run.id === undefined : run.id === link.id && link.n === run.last + 1 && link.prev === run.hash)) {
      run.last += 1;
      run.hash = hash;
      run.end = place;
      run.count += 1;
    } else {
      if (run?.id !== undefined && run.id === link?.id && link.n <= run.last) this.#cut(run, link.n);
      if (this.full) return;
      this.runs.push({ id: link?.id, first: link?.n ?? 0, last: link?.n ?? 0, prev: link?.prev ?? "", hash, start: place, end: place, count: 1, previous });
      this.#recent.clear();
    }
    if (!link) return;
    this.#recent.set(link.n, { hash, prev: link.prev, place });
    this.#recent.delete(link.n - ring);
  }

  /** A line that says it is `n` follows a run that has an `n` already: which of them is right is for the analysis, so the run ends before it. */
  #cut(run: Run, n: number): void {
    const before = this.#recent.get(n - 1);
    const at = this.#recent.get(n);
    if (!before || !at || n <= run.first) return;
    const rest: Run = { id: run.id, first: n, last: run.last, prev: at.prev, hash: run.hash, start: at.place, end: run.end, count: run.last - n + 1, previous: undefined };
    run.count = n - run.first;
    run.last = n - 1;
    run.hash = before.hash;
    run.end = before.place;
    this.runs.push(rest);
  }
}
