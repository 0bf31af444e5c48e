import { SessionRefused } from "./refused.ts";

/** How many sessions each person has open, whatever the protocol. */
export class SessionCounts {
  readonly #counts = new Map<string, number>();

  /**
   * Takes one of the person's sessions; returns what gives it back, which may be called more than once. `most`: as many as they may have, 0 for any number.
   * Throws {@link SessionRefused}.
   */
  take(user: string, most: number): () => void {
    const count = this.#counts.get(user) ?? 0;
    if (most > 0 && count >= most) {
      throw new SessionRefused(403, `${user} has ${count === 1 ? "a session" : `${String(count)} sessions`} open already, as many as their roles allow (max_sessions)`);
    }
    this.#counts.set(user, count + 1);
    let released = false;
    return () => {
      if (released) return;
      released = true;
      const left = (this.#counts.get(user) ?? 1) - 1;
      if (left > 0) this.#counts.set(user, left);
      else this.#counts.delete(user);
    };
  }
}
