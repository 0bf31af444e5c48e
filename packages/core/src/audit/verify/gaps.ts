import type { Pruning } from "./pruned.ts";
import type { Predecessor, Run } from "./runs.ts";
import { findSpine } from "./spine.ts";
import type { Finding, Note, Place } from "./types.ts";

/** Where the analysis tells what it finds. */
export interface Teller {
  /** More findings are not taken. */
  readonly full: boolean;
  finding(kind: Finding["kind"], place: Place | undefined, text: string, lines?: Finding["lines"]): void;
  note(kind: Note["kind"], place: Place | undefined, text: string): void;
}

const at = ({ file, line }: Place): string => `${file}:${line}`;
const numbers = (from: number, to: number): string => (from === to ? `line ${from}` : `lines ${from} to ${to}`);
const count = (lines: number): string => (lines === 1 ? "1 line" : `${lines} lines`);

/** Works out what happened to a log from its runs. */
class Analysis {
  readonly #runs: readonly Run[];
  readonly #tell: Teller;
  readonly #spine: readonly Run[];
  readonly #order: ReadonlyMap<Run, number>;
  /** Chained runs off the spine, by chain. */
  readonly #displaced = new Map<string, Run[]>();

  constructor(runs: readonly Run[], tell: Teller) {
    this.#runs = runs;
    this.#tell = tell;
    this.#spine = findSpine(runs);
    this.#order = new Map(runs.map((run, index) => [run, index]));
    const onSpine = new Set(this.#spine);
    for (const run of runs) {
      if (run.id === undefined || onSpine.has(run)) continue;
      const others = this.#displaced.get(run.id) ?? [];
      others.push(run);
      this.#displaced.set(run.id, others);
    }
  }

  run(prunings: readonly Pruning[], partial: boolean): Pruning | undefined {
    const [first] = this.#spine;
    const pruning = first && this.#head(first, prunings, partial);
    this.#body();
    return pruning;
  }

  #body(): void {
    for (const [index, run] of this.#spine.entries()) {
      const next = this.#spine[index + 1];
      if (this.#tell.full) return;
      if (next) this.#pair(run, next, this.#spine[index + 2]);
    }
    // Whatever no gap has explained.
    const onSpine = new Set(this.#spine);
    for (const run of this.#runs) {
      if (run.told || onSpine.has(run)) continue;
      if (this.#tell.full) return;
      const known = run.id !== undefined && this.#spine.some((one) => one.id === run.id && one.first <= run.first && run.last <= one.last);
      const text = known ? `${count(run.count)} stand${run.count === 1 ? "s" : ""} here a second time` : `${count(run.count)} that the log never wrote, or not as ${run.count === 1 ? "it is" : "they are"}`;
      this.#tell.finding("added", run.start, text, linesOf(run));
      run.told = true;
    }
  }

  /** Returns the pruning that the log begins behind. */
  #head(first: Run, prunings: readonly Pruning[], partial: boolean): Pruning | undefined {
    if (first.first === 0 && first.prev === "") return undefined;
    const before = this.#between(undefined, first);
    const old = before.at(-1);
    if (first.first === 0 && before.length === 1 && old?.id === undefined && old?.hash === first.prev) {
      old.told = true;
      this.#tell.note("unchained", old.start, `${count(old.count)} from before this log was chained: nothing is proven of them`);
      return undefined;
    }
    const pruning = prunings.findLast(({ hashes }) => hashes.has(first.prev));
    if (pruning) {
      return pruning;
    }
    if (partial) {
      this.#tell.note("begins", first.start, "what was before the range is not looked at");
      return undefined;
    }
    this.#explain({ id: first.id ?? "", from: 0, to: first.first - 1, afterHash: undefined, beforeHash: first.prev, place: first.start, where: "the beginning of the log is gone" }, before);
    if (first.first === 0) this.#tell.finding("removed", first.start, "the beginning of the log is gone: this process says that there were lines before it");
    return undefined;
  }

  #pair(a: Run, b: Run, c: Run | undefined): void {
    const between = this.#between(a, b);
    if (a.id === b.id) {
      this.#sameChain(a, b, c, between);
      return;
    }
    if (b.first === 0 && b.prev === a.hash) {
      this.#explain({ id: a.id ?? "", from: 1, to: 0, afterHash: a.hash, beforeHash: b.prev, place: b.start, where: "" }, between);
      return;
    }
    if (b.first > 0) {
      this.#explain({ id: b.id ?? "", from: 0, to: b.first - 1, afterHash: undefined, beforeHash: b.prev, place: b.start, where: `between ${at(a.end)} and ${at(b.start)}` }, between);
      return;
    }
    this.#otherChain(a, b, c, b.previous ?? undefined, between);
  }

  #sameChain(a: Run, b: Run, c: Run | undefined, between: readonly Run[]): void {
    const where = `between ${at(a.end)} and ${at(b.start)}`;
    this.#explain({ id: a.id ?? "", from: a.last + 1, to: b.first - 1, afterHash: a.hash, beforeHash: b.prev, place: b.start, where }, between);
    if (b.first === a.last + 1 && b.prev !== a.hash) this.#mismatch(a, b, c);
  }

  /** Numbers fit and hashes do not: one of two lines was changed. */
  #mismatch(a: Run, b: Run, c: Run | undefined): void {
    const lonely = b.count === 1 && c !== undefined && !(c.prev === b.hash);
    if (lonely) {
      if (!b.told) this.#tell.finding("changed", b.start, "this line was changed; the one before it cannot be checked by it any more", linesOf(b));
      b.told = true;
      return;
    }
    // The line is known to be wrong already.
    if (a.told && a.count === 1) return;
    this.#tell.finding("changed", a.end, "this line was changed: the next one has another hash of it", { chain: a.id ?? "", from: a.last, to: a.last });
  }

  #otherChain(a: Run, b: Run, c: Run | undefined, previous: Predecessor | undefined, between: readonly Run[]): void {
    const where = `between ${at(a.end)} and ${at(b.start)}`;
    if (previous?.chain === a.id && previous?.n !== undefined) {
      const { n } = previous;
      this.#explain({ id: a.id ?? "", from: a.last + 1, to: n, afterHash: a.hash, beforeHash: b.prev, place: b.start, where }, between);
      if (n === a.last) this.#mismatch(a, b, c);
      if (n < a.last) this.#tell.finding("added", a.end, `${numbers(n + 1, a.last)} of the process before: it had written ${n + 1} when the next one began`, { chain: a.id ?? "", from: n + 1, to: a.last });
      return;
    }
    this.#explain({ id: a.id ?? "", from: 1, to: 0, afterHash: a.hash, beforeHash: b.prev, place: b.start, where }, between);
    const text = previous?.chain === undefined ? "this process says that it was the first, or followed lines that are gone" : `the log of a whole process is gone ${where}`;
    this.#tell.finding("removed", b.start, text, previous?.chain === undefined ? undefined : { chain: previous.chain, from: 0, to: previous.n ?? 0 });
  }

  /** Runs that stand between two of the spine. */
  #between(a: Run | undefined, b: Run): readonly Run[] {
    const from = a === undefined ? 0 : (this.#order.get(a) ?? 0) + 1;
    return this.#runs.slice(from, this.#order.get(b) ?? 0);
  }

  /** Names what became of missing lines (none where `to` < `from`), and what the lines are that stand in their stead. */
  #explain(
    gap: { readonly id: string; readonly from: number; readonly to: number; readonly afterHash: string | undefined; readonly beforeHash: string; readonly place: Place; readonly where: string },
    between: readonly Run[],
  ): void {
    let missing = Math.max(0, gap.to - gap.from + 1);
    let from = gap.from;
    for (const run of missing > 0 ? (this.#displaced.get(gap.id) ?? []) : []) {
      const fits = run.first >= gap.from && run.last <= gap.to;
      const linked = (run.first === gap.from && run.prev === gap.afterHash) || (run.last === gap.to && run.hash === gap.beforeHash) || run.count > 1;
      if (run.told || !fits || !linked) continue;
      this.#tell.finding("moved", run.start, `${numbers(run.first, run.last)} of the chain stand${run.count === 1 ? "s" : ""} here, and belong${run.count === 1 ? "s" : ""} before ${at(gap.place)}`, linesOf(run));
      run.told = true;
      missing -= run.count;
      if (run.first === from) from = run.last + 1;
    }
    for (const run of between) {
      if (run.told) continue;
      run.told = true;
      const changed = Math.min(run.count, missing);
      if (changed > 0) {
        const known = changed === run.count && missing === changed && { chain: gap.id, from, to: from + changed - 1 };
        this.#tell.finding("changed", run.start, `${count(changed)} changed beyond recognition`, known || linesOf(run));
        missing -= changed;
        from += changed;
      }
      if (run.count > changed) {
        const place = changed === 0 ? run.start : { file: run.start.file, line: run.start.line + changed };
        this.#tell.finding("added", place, `${count(run.count - changed)} that the log never wrote, or not here`, linesOf(run));
      }
    }
    if (missing > 0) this.#tell.finding("removed", gap.place, `${count(missing)} of the chain are gone${gap.where === "" ? "" : ` (${gap.where})`}`, { chain: gap.id, from, to: gap.to });
  }
}

function linesOf(run: Run): Finding["lines"] {
  return run.id === undefined ? undefined : { chain: run.id, from: run.first, to: run.last };
}

/** Tells what was removed, changed, added or moved in a log of these runs. `partial`: earlier files were left out on purpose. Returns the pruning behind which the log begins. */
export function analyseRuns(runs: readonly Run[], prunings: readonly Pruning[], partial: boolean, tell: Teller): Pruning | undefined {
  return new Analysis(runs, tell).run(prunings, partial);
}
