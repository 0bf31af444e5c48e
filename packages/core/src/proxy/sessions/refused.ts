import type { Ending } from "./types.ts";

/** A session that may not begin: too many of its person's are open, or it must be recorded and cannot be. Each protocol tells its client in its own way. */
export class SessionRefused extends Error implements Ending {
  override readonly name = "SessionRefused";
  readonly code: number;

  constructor(code: 403 | 413 | 503, message: string) {
    super(message);
    this.code = code;
  }
}
