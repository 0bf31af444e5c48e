/** Fields of a log line. Never a secret: no key, token, password or code goes in. */
export type LogFields = Readonly<Record<string, unknown>>;

/** Structured log. `pino` fits it; rooms take it as a parameter and never choose one. */
export interface Logger {
  debug(fields: LogFields, message: string): void;
  info(fields: LogFields, message: string): void;
  warn(fields: LogFields, message: string): void;
  error(fields: LogFields, message: string): void;
}

const ignore = (): void => undefined;

/** A log that keeps nothing. */
export const nullLogger: Logger = { debug: ignore, info: ignore, warn: ignore, error: ignore };
