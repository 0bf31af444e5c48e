import type { Clock } from "../../base/index.ts";
import type { LiveSession, SessionStream, TunnelSession, TunnelStart } from "./types.ts";
import { unrecordedView } from "./unrecorded-view.ts";

/** {@link TunnelSession}. */
export class CountedTunnel implements TunnelSession {
  readonly sid: string;
  readonly user: string;
  readonly #start: TunnelStart;
  readonly #started: number;
  readonly #over: () => void;
  #stream: SessionStream | undefined;
  #ended = false;

  constructor({ clock }: { readonly clock: Clock }, start: TunnelStart, over: () => void) {
    this.sid = start.sid;
    this.user = start.user;
    this.#start = start;
    this.#started = clock.now();
    this.#over = over;
  }

  run(stream: SessionStream): void {
    this.#stream = stream;
  }

  kill(message: string): void {
    this.#start.kill(message);
  }

  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#over();
  }

  /** As administrators see it; undefined where it does not run yet. */
  view(): LiveSession | undefined {
    return this.#stream && unrecordedView("tunnel", this.#start, this.#started, this.#stream);
  }
}
