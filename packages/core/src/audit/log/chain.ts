import { chainText, lineHash, type ChainLink } from "../verify/index.ts";

/** Lines with their links, ready to be written, and where the chain stands once they are. */
export interface Sealed {
  readonly lines: readonly string[];
  /** To be called when they are written; lines that were not are sealed anew, with the same numbers. */
  commit(): void;
}

/** The hash chain of this process. */
export interface Chain {
  readonly id: string;
  /** The link that the next line gets. */
  readonly next: ChainLink;
  /** Gives lines (JSON objects without their closing brace) their links, which end them. */
  seal(lines: readonly string[]): Sealed;
}

/** A chain that begins after a line with the hash `prev` (empty: after none). */
export function createChain(id: string, prev: string): Chain {
  let next: ChainLink = { id, n: 0, prev };
  return {
    id,
    get next() {
      return next;
    },
    seal(lines) {
      let { n, prev: last } = next;
      const sealed = lines.map((line) => {
        const whole = line + chainText({ id, n, prev: last });
        last = lineHash(whole);
        n += 1;
        return whole;
      });
      return { lines: sealed, commit: () => (next = { id, n, prev: last }) };
    },
  };
}
