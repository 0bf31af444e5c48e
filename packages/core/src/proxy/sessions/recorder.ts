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
    this.#audit.emit(event).then(
      () => this.#tell(true, done),
      (error: unknown) => {
        if (this.#healthy) this.#logger.error({ error: errorMessage(error) }, "the audit log cannot be written: nothing is let through to clusters and hosts until it can");
        this.#tell(false, done);
      },
    );
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

  #tell(written: boolean, done: (written: boolean) => void): void {
    this.#healthy = written;
    try {
      done(written);
    } catch (error) {
      this.#logger.error({ error: errorMessage(error) }, "what follows an audit event failed");
    }
  }
}

const ignore = (): void => undefined;
