import pino from "pino";
import { GatehouseError, errorMessage, type Logger } from "../../base/index.ts";
import type { GatewayConfig } from "../../config/index.ts";

/** The gateway's own log: JSON, one line an entry. */
export interface GatewayLog {
  readonly logger: Logger;
  /** Opens the file anew, after it was rotated away; nothing for a stream. */
  reopen(): void;
  /** Writes out what is still in memory. */
  close(): void;
}

/** Opens the log that the configuration asks for. Throws `unavailable` for a file that cannot be opened. */
export async function openLog(settings: GatewayConfig["log"]): Promise<GatewayLog> {
  const { output, severity } = settings;
  const file = typeof output === "object" ? output.file : undefined;
  const destination = pino.destination({ dest: file ?? (output === "stdout" ? 1 : 2), sync: false, mode: 0o640 });
  if (file !== undefined) {
    await new Promise<void>((resolve, reject) => {
      destination.once("ready", resolve);
      destination.once("error", (error: unknown) => reject(new GatehouseError("unavailable", `the log file ${file} cannot be opened: ${errorMessage(error)}`, { cause: error })));
    });
  }
  // A log that can no longer be written must not end the gateway: the audit log is what counts.
  destination.on("error", () => undefined);
  const logger = pino({ level: severity, base: null, timestamp: pino.stdTimeFunctions.isoTime, formatters: { level: (label) => ({ level: label }) } }, destination);
  return {
    logger,
    reopen: () => {
      if (file !== undefined) destination.reopen();
    },
    close: () => destination.flushSync(),
  };
}
