import type { Path } from "./path.ts";

/** One thing that is wrong in a resource. */
export interface Problem {
  readonly path: Path;
  readonly message: string;
  /** What the position points at: the value, or the key of a field that should not be there. */
  readonly at: "value" | "key";
}

/** Most problems told at once. */
export const maxProblems = 10;
