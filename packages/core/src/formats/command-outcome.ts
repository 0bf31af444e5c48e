/** How a command ended, as the API server told its client. */
export interface CommandOutcome {
  readonly success: boolean;
  /** Absent where the command did not run to its end, or the API server is too old to say. */
  readonly exitCode?: number | undefined;
  /** What went wrong, in its words, cut. */
  readonly message?: string | undefined;
}

/** Bytes of an outcome that are worth keeping. */
export const maxOutcome = 16 * 1024;
const maxMessage = 1024;

/**
 * Reads what the error stream carried: a `Status` (v4 and later) or plain text (before). Undefined for nothing, and for JSON that is cut off.
 */
export function commandOutcome(text: string): CommandOutcome | undefined {
  if (text === "") return undefined;
  if (!text.startsWith("{")) return failed(text, /exit (?:status|code) (\d{1,3})/.exec(text)?.[1]);
  let status: unknown;
  try {
    status = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (field(status, "status") === "Success") return { success: true, exitCode: 0 };
  const causes = field(field(status, "details"), "causes");
  const cause: unknown = Array.isArray(causes) ? causes.find((one) => field(one, "reason") === "ExitCode") : undefined;
  return failed(field(status, "message"), field(cause, "message"));
}

function failed(message: unknown, code: unknown): CommandOutcome {
  return {
    success: false,
    ...(typeof code === "string" && /^\d{1,10}$/.test(code) ? { exitCode: Number(code) } : {}),
    ...(typeof message === "string" ? { message: message.slice(0, maxMessage) } : {}),
  };
}

function field(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null && Object.hasOwn(value, name) ? Reflect.get(value, name) : undefined;
}
