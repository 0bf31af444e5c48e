import type { AuditEventInput } from "../../../audit/index.ts";
import type { StreamSinks } from "../../../formats/index.ts";
import type { SessionStream } from "../../sessions/index.ts";

/** A stream as auditors see it: an exec, an attach or a port-forward, from the decision to let it in to its end. */
export interface StreamSession {
  readonly sid: string;
  /** Whom the tap tells what passes. */
  readonly sinks: StreamSinks;
  /** The recording does not keep up: both sides are to be held back. */
  readonly behind: boolean;
  /** Why it must end: it can no longer be recorded. */
  readonly problem: string | undefined;
  /** What is audited before the first byte passes, beside the event of the upgrade. */
  started(protocol: string): readonly AuditEventInput[];
  /** Nobody can tell what passes. Returns why it may then not run; undefined where it may, with a gap. */
  blind(protocol: string): string | undefined;
  /** It runs, on this stream. */
  run(stream: SessionStream): void;
  /** Looks after what time alone brings. */
  tick(now: number): void;
  /** The stream is over. `reason`: why the gateway ended it; undefined where it did not. */
  end(reason: string | undefined): void;
  /** It did not come about. */
  drop(): void;
}
