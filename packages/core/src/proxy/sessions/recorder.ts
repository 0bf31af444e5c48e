import type { AuditEventInput, AuditLog } from "../../audit/index.ts";
import { errorMessage } from "../../base/index.ts";
import type { Logger } from "../../base/index.ts";

/**
 * The audit log as proxies use it. Remembers whether the last event could be written: while none can, nothing is let through, so that
 * what has effects behind the gateway is not done first and found unauditable after.
 */
export class Recorder {
  readonly #audit: AuditLog;
  readonly #logger: Logger;
  #healthy = true;

  constructor(audit: AuditLog, logger: Logger) {
    this.#audit = audit;
    this.#logger = logger;
  }

  /** False from an event that could not be written to the next one that could. */
  get healthy(): boolean {
    return this.#healthy;
  }

  /** Writes an event, then calls `done`, which is told whether it could be written. */
  write(event: AuditEventInput, done: (written: boolean) => void = ignore): void {
    this.#audit
      .emit(event)
      .then(this.#written, this.#failed)
      .then(done)
      .catch((error: unknown) => this.#logger.error({ error: errorMessage(error) }, "what follows an audit event failed"));
  }

  /** Writes several events; `done` is told whether all of them could be written. */
  writeAll(events: readonly AuditEventInput[], done: (written: boolean) => void): void {
    let left = events.length;
    let all = true;
    for (const event of events) {
      this.write(event, (written) => {
        left -= 1;
        all &&= written;
        if (left === 0) done(all);
      });
    }
  }

  readonly #written = (): boolean => {
    this.#healthy = true;
    return true;
  };

  readonly #failed = (error: unknown): boolean => {
    if (this.#healthy) this.#logger.error({ error: errorMessage(error) }, "the audit log cannot be written: nothing is let through to clusters and hosts until it can");
    this.#healthy = false;
    return false;
  };
}

const ignore = (): void => undefined;
