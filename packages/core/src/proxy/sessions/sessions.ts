import type { RecordingMode, Recordings } from "../../audit/index.ts";
import { GatehouseError, errorMessage } from "../../base/index.ts";
import type { Clock, Logger } from "../../base/index.ts";
import { RecordedCommand } from "./command-session.ts";
import type { SessionContext } from "./context.ts";
import { SessionCounts } from "./counts.ts";
import { CountedPorts } from "./port-session.ts";
import type { Recorder } from "./recorder.ts";
import { CountedTunnel } from "./tunnel-session.ts";
import type { CommandSession, CommandStart, LiveSession, LiveSessions, Participant, PortSession, PortStart, RecordingDefault, SessionJoin, TunnelSession, TunnelStart } from "./types.ts";

export interface SessionsOptions {
  readonly recorder: Recorder;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Id of this gateway. */
  readonly serverId: string;
  /** Where sessions are recorded; without it none is. */
  readonly recordings: Recordings | undefined;
  readonly recording: RecordingDefault;
}

/** The sessions of one gateway, of every protocol. */
export class Sessions implements LiveSessions {
  readonly serverId: string;
  readonly #context: SessionContext;
  readonly #recording: RecordingDefault;
  readonly #live = new Map<string, RecordedCommand | CountedPorts | CountedTunnel>();
  readonly #counts = new SessionCounts();
  readonly #finishing = new Set<Promise<void>>();

  constructor({ recording, serverId, ...options }: SessionsOptions) {
    this.serverId = serverId;
    this.#recording = options.recordings === undefined ? "off" : recording;
    this.#context = { ...options, finishing: (work) => this.#finish(work) };
  }

  /**
   * Begins one that was granted, its recording with it. Throws {@link SessionRefused} for a person who has as many as they may, and where it must be
   * recorded and cannot be.
   */
  async open(start: CommandStart): Promise<CommandSession> {
    const { sid, user } = start.session;
    const release = this.#counts.take(user, start.options.maxSessions);
    try {
      const session = await RecordedCommand.open(this.#context, start, this.modeOf(start.options), () => {
        this.#live.delete(sid);
        release();
      });
      this.#live.set(sid, session);
      return session;
    } catch (error) {
      release();
      throw error;
    }
  }

  /** Begins to count forwarded ports. They are none of the sessions that `max_sessions` is about. */
  openPorts(start: PortStart): PortSession {
    const session = new CountedPorts(this.#context, start, () => this.#live.delete(start.sid));
    this.#live.set(start.sid, session);
    return session;
  }

  /** Begins one that passes end to end. Throws {@link SessionRefused} for a person who has as many as they may. */
  openTunnel(start: TunnelStart): TunnelSession {
    const release = this.#counts.take(start.user, start.maxSessions);
    const session = new CountedTunnel(this.#context, start, () => {
      this.#live.delete(start.sid);
      release();
    });
    this.#live.set(start.sid, session);
    return session;
  }

  /** Whether anybody's are recorded. */
  get recorded(): boolean {
    return this.#recording !== "off";
  }

  /** As the person's roles say; where they do not, as the gateway does. Switched off it is for everybody. */
  modeOf({ recordSession }: { readonly recordSession: RecordingMode | undefined }): RecordingDefault {
    if (this.#recording === "off") return "off";
    return recordSession ?? this.#recording;
  }

  list(): readonly LiveSession[] {
    return [...this.#live.values()].map((session) => session.view()).filter((view) => view !== undefined);
  }

  kill(sid: string, message: string): void {
    this.#running(sid).kill(message);
  }

  async join(sid: string, who: Participant, signal: AbortSignal): Promise<SessionJoin> {
    const session = this.#running(sid);
    if (!(session instanceof RecordedCommand)) throw new GatehouseError("bad_parameter", `session ${sid} is not recorded, and cannot be watched`);
    return session.participants.join(who, signal);
  }

  /** Ends what is left, and resolves when everything about sessions is written. */
  async close(reason: string): Promise<void> {
    for (const session of [...this.#live.values()]) session.end({ reason });
    while (this.#finishing.size > 0) await Promise.all(this.#finishing);
  }

  #running(sid: string): RecordedCommand | CountedPorts | CountedTunnel {
    const session = this.#live.get(sid);
    if (session?.view() === undefined) throw new GatehouseError("not_found", `there is no live session ${sid} on this gateway`, { hint: "tctl sessions ls" });
    return session;
  }

  #finish(work: Promise<void>): void {
    const done = work
      .catch((error: unknown) => this.#context.logger.error({ error: errorMessage(error) }, "the recording of a session that is over could not be completed"))
      .finally(() => this.#finishing.delete(done));
    this.#finishing.add(done);
  }
}
