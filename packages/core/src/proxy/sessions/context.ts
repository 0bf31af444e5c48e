import type { Recordings } from "../../audit/index.ts";
import type { Clock, Logger } from "../../base/index.ts";
import type { Recorder } from "./recorder.ts";

/** What sessions stand on. */
export interface SessionContext {
  readonly recorder: Recorder;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly recordings: Recordings | undefined;
  /** Something of a session that is over is still to be done; nobody but a gateway that closes waits for it. */
  readonly finishing: (work: Promise<void>) => void;
}
