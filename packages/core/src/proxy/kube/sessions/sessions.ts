import { uuid } from "../../../base/index.ts";
import type { Clock, Logger } from "../../../base/index.ts";
import type { Sessions } from "../../sessions/index.ts";
import type { Grant } from "../authorize.ts";
import { streamKind } from "../events.ts";
import { openCommand } from "./command.ts";
import { openPorts } from "./ports.ts";
import type { StreamSession } from "./types.ts";

/** What the sessions of streams stand on. */
export interface KubeSessionContext {
  readonly sessions: Sessions;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Ends the stream of a session and tells its person why. */
  readonly kill: (sid: string, message: string) => void;
}

/**
 * Begins a session for a stream that was granted; undefined for streams that are none. Throws {@link Refusal} for a person who has as
 * many as they may, and where it must be recorded and cannot be.
 */
export async function openSession(context: KubeSessionContext, grant: Grant): Promise<StreamSession | undefined> {
  const kind = streamKind(grant.path);
  if (kind === "other") return undefined;
  return kind === "portforward" ? openPorts(context, grant, uuid()) : openCommand(context, grant, uuid());
}
