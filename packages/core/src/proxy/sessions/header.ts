import type { RecordedSession, RecordingHeader } from "../../formats/index.ts";
import type { CommandStart } from "./types.ts";

/** Bounds of what a recording's header holds: characters of a name, entries of a list. */
export const maxName = 1024;
const maxNames = 1024;

/** A name as the header of a recording can hold it. */
export const clip = (text: string): string => text.slice(0, maxName);

/** A list of names as the header of a recording can hold it. */
export const clipAll = (texts: readonly string[]): string[] => texts.slice(0, maxNames).map(clip);

function titleOf(session: RecordedSession): string {
  if (session.proto === "ssh") return `${session.kind} ${session.login}@${session.node.name}`;
  const { kind, cluster, namespace, pod } = session;
  return `${kind} ${cluster}/${namespace}/${pod}`;
}

/** The header of a session's recording. Where the size of a terminal comes later, it is on the stream. */
export function recordingHeader({ session, size, term }: Pick<CommandStart, "session" | "size" | "term">): RecordingHeader {
  const { command, started, tty } = session;
  return {
    version: 2,
    width: size?.columns ?? 80,
    height: size?.rows ?? 24,
    timestamp: Math.floor(started / 1000),
    ...(command.length === 0 ? {} : { command: clip(command.join(" ")) }),
    title: titleOf(session),
    ...(tty ? { env: { TERM: clip(term ?? "xterm-256color") } } : {}),
    gatehouse: session,
  };
}
