import type { Recordings } from "../../../audit/index.ts";
import { GatehouseError, errorMessage, uuid } from "../../../base/index.ts";
import type { Clock, Logger } from "../../../base/index.ts";
import type { Grant } from "../authorize.ts";
import { streamKind } from "../events.ts";
import type { Recorder } from "../recorder.ts";
import { Refusal } from "../status.ts";
import { CommandSession } from "./command-session.ts";
import { PortSession } from "./port-session.ts";
import type { LiveSession, RecordingDefault, SessionWatch, StreamSession } from "./types.ts";

/** What sessions stand on. */
export interface SessionContext {
  readonly recorder: Recorder;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly serverId: string;
  readonly recordings: Recordings | undefined;
  /** Something of a session that is over is still to be done; nobody but a gateway that closes waits for it. */
  readonly finishing: (work: Promise<void>) => void;
}

export interface SessionsOptions {
  readonly recorder: Recorder;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly serverId: string;
  /** Where sessions are recorded; without it none is. */
  readonly recordings: Recordings | undefined;
  readonly recording: RecordingDefault;
}

/** The sessions of one gateway, from the decision to let them in. */
export class Sessions {
  readonly #context: SessionContext;
  readonly #recording: RecordingDefault;
  readonly #live = new Map<string, CommandSession | PortSession>();
  readonly #counts = new Map<string, number>();
  readonly #finishing = new Set<Promise<void>>();

  constructor({ recording, ...options }: SessionsOptions) {
    this.#recording = options.recordings === undefined ? "off" : recording;
    this.#context = { ...options, finishing: (work) => this.#finish(work) };
  }

  /**
   * Begins a session for a stream that was granted; undefined for streams that are none. Throws {@link Refusal} for a person who has as
   * many as they may, and where it must be recorded and cannot be.
   */
  async open(grant: Grant): Promise<StreamSession | undefined> {
    const kind = streamKind(grant.path);
    if (kind === "other") return undefined;
    const sid = uuid();
    if (kind === "portforward") {
      const session = new PortSession(this.#context, grant, sid, () => this.#live.delete(sid));
      this.#live.set(sid, session);
      return session;
    }
    const release = this.#count(grant);
    try {
      const session = await CommandSession.open(this.#context, grant, sid, this.#modeOf(grant), () => {
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

  /** Whether anybody's are recorded. */
  get recorded(): boolean {
    return this.#recording !== "off";
  }

  list(): readonly LiveSession[] {
    return [...this.#live.values()].map((session) => session.view()).filter((view) => view !== undefined);
  }

  watch(sid: string, signal: AbortSignal): SessionWatch {
    const session = this.#live.get(sid);
    if (session?.view() === undefined) throw new GatehouseError("not_found", `there is no live session ${sid} on this gateway`, { hint: "tctl sessions ls" });
    const recording = session instanceof CommandSession ? session.recording : undefined;
    if (recording === undefined) throw new GatehouseError("bad_parameter", `session ${sid} is not recorded, and cannot be watched`);
    return { bytes: recording.follow(signal) };
  }

  /** Ends what is left, and resolves when everything about sessions is written. */
  async close(reason: string): Promise<void> {
    for (const session of [...this.#live.values()]) session.end(reason);
    while (this.#finishing.size > 0) await Promise.all(this.#finishing);
  }

  /** As the person's roles say; where they do not, as the gateway does. Switched off it is for everybody. */
  #modeOf(grant: Grant): RecordingDefault {
    if (this.#recording === "off") return "off";
    return grant.principal.identity.roles.options().recordSession ?? this.#recording;
  }

  /** Takes one of the person's sessions; returns what gives it back. */
  #count({ user, principal }: Grant): () => void {
    const { maxSessions } = principal.identity.roles.options();
    const count = this.#counts.get(user) ?? 0;
    if (maxSessions > 0 && count >= maxSessions) {
      throw new Refusal(403, `${user} has ${count === 1 ? "a session" : `${String(count)} sessions`} open already, as many as their roles allow (max_sessions)`);
    }
    this.#counts.set(user, count + 1);
    let released = false;
    return () => {
      if (released) return;
      released = true;
      const left = (this.#counts.get(user) ?? 1) - 1;
      if (left > 0) this.#counts.set(user, left);
      else this.#counts.delete(user);
    };
  }

  #finish(work: Promise<void>): void {
    const done = work
      .catch((error: unknown) => this.#context.logger.error({ error: errorMessage(error) }, "the recording of a session that is over could not be completed"))
      .finally(() => this.#finishing.delete(done));
    this.#finishing.add(done);
  }
}
