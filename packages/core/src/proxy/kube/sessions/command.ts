import { commandOutcome, maxOutcome } from "../../../formats/index.ts";
import type { CommandOutcome } from "../../../formats/index.ts";
import { SessionRefused } from "../../sessions/index.ts";
import type { CommandEnd, CommandSession } from "../../sessions/index.ts";
import type { Grant } from "../authorize.ts";
import { Refusal } from "../status.ts";
import { findContainer } from "./container.ts";
import { recordedSession } from "./header.ts";
import type { KubeSessionContext } from "./sessions.ts";
import type { StreamSession } from "./types.ts";

/** Begins the session of an exec or attach. Throws {@link Refusal}. */
export async function openCommand({ sessions, clock, logger, kill }: KubeSessionContext, grant: Grant, sid: string): Promise<StreamSession> {
  const started = clock.now();
  const options = grant.principal.identity.roles.options();
  const recorded = sessions.modeOf(options) !== "off";
  const runsIn = recorded ? await findContainer(grant, new URLSearchParams(grant.query).get("container"), logger) : undefined;
  try {
    const session = recordedSession(grant, sid, sessions.serverId, started, runsIn);
    return streamOf(await sessions.open({ session, options, localAddress: grant.connection.localAddress, kill: (message) => kill(sid, message) }));
  } catch (error) {
    if (error instanceof SessionRefused) throw new Refusal(error.code, error.message);
    throw error;
  }
}

function streamOf(session: CommandSession): StreamSession {
  let outcome = "";
  return {
    sid: session.sid,
    sinks: {
      command: {
        ...session.sink,
        error: (bytes) => {
          const room = maxOutcome - outcome.length;
          if (room > 0) outcome += Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(room, bytes.length)).toString("latin1");
        },
      },
    },
    get behind() {
      return session.behind;
    },
    get problem() {
      return session.problem;
    },
    started: (protocol) => session.started(protocol),
    blind: (protocol) => {
      const why = session.blind(`the streams of protocol ${JSON.stringify(protocol)} are not known`);
      return why === undefined ? undefined : `chose streams that cannot be recorded, and must be: ${why}`;
    },
    run: (stream) => session.run(stream),
    tick: (now) => session.tick(now),
    // JSON of another language than English is cut into bytes anywhere; only whole it is text.
    end: (reason) => session.end(endOf(commandOutcome(Buffer.from(outcome, "latin1").toString("utf8")), reason)),
    drop: () => session.drop(),
  };
}

function endOf(outcome: CommandOutcome | undefined, reason: string | undefined): CommandEnd {
  if (outcome === undefined) return { reason };
  return outcome.exitCode === undefined ? { reason: reason ?? outcome.message ?? "the command failed" } : { reason, exitCode: outcome.exitCode };
}
