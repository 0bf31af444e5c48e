import type { Run } from "./runs.ts";

/** Chains in the order in which each says that it follows another; else as they appear. */
function rankChains(runs: readonly Run[]): ReadonlyMap<string, number> {
  const seen = new Set<string>();
  const after = new Map<string, string>();
  const follows = new Set<string>();
  for (const { id } of runs) if (id !== undefined) seen.add(id);
  for (const { id, previous } of runs) {
    const before = previous?.chain;
    if (id === undefined || before === undefined || before === id || !seen.has(before) || after.has(before) || follows.has(id)) continue;
    after.set(before, id);
    follows.add(id);
  }
  const ranks = new Map<string, number>();
  for (const start of [...[...seen].filter((id) => !follows.has(id)), ...seen]) {
    for (let id: string | undefined = start; id !== undefined && !ranks.has(id); id = after.get(id)) ranks.set(id, ranks.size);
  }
  return ranks;
}

interface Spot {
  readonly rank: number;
  readonly n: number;
}

const compare = (a: Spot, b: Spot): number => a.rank - b.rank || a.n - b.n;

/**
 * The runs that stand in their right order, as many lines of them as there can be (the heaviest increasing subsequence). What is not among them was
 * moved, added or changed.
 */
export function findSpine(runs: readonly Run[]): readonly Run[] {
  const ranks = rankChains(runs);
  const chained = runs.flatMap((run) => (run.id === undefined ? [] : [{ run, rank: ranks.get(run.id) ?? 0 }]));
  const spots = chained.flatMap(({ run, rank }) => [{ rank, n: run.first }, { rank, n: run.last }]).sort(compare);
  const indexOf = (spot: Spot): number => {
    let low = 0;
    for (let high = spots.length; low < high; ) {
      const middle = (low + high) >>> 1;
      if (compare(spots[middle] ?? spot, spot) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  };
  // A tree of prefix maxima (Fenwick) over where runs end: the heaviest row of runs that ends before a spot.
  const best: (number | undefined)[] = Array.from({ length: spots.length + 1 });
  const weight: number[] = [];
  const before: (number | undefined)[] = [];
  const heavier = (a: number | undefined, b: number | undefined): number | undefined => (b !== undefined && (a === undefined || (weight[b] ?? 0) > (weight[a] ?? 0)) ? b : a);
  let top: number | undefined;
  for (const [index, { run, rank }] of chained.entries()) {
    let found: number | undefined;
    for (let at = indexOf({ rank, n: run.first }); at > 0; at -= at & -at) found = heavier(found, best[at]);
    weight[index] = run.count + (found === undefined ? 0 : (weight[found] ?? 0));
    before[index] = found;
    for (let at = indexOf({ rank, n: run.last }) + 1; at < best.length; at += at & -at) best[at] = heavier(best[at], index);
    top = heavier(top, index);
  }
  const spine: Run[] = [];
  for (let at = top; at !== undefined; at = before[at]) {
    const run = chained[at]?.run;
    if (run) spine.push(run);
  }
  return spine.reverse();
}
