import { auditEvents, sessionReading } from "../../audit/index.ts";
import type { Recording } from "../../audit/index.ts";
import { GatehouseError, errorMessage, escapeLine, uuid } from "../../base/index.ts";
import type { SessionContext } from "./context.ts";
import type { CommandStart, Participant, SessionJoin } from "./types.ts";

/** Names that are remembered of those who took part, and their characters: the end of a recording has to hold them all. */
const maxNames = 40;
const maxName = 200;

/** Those who watch one session or take part in it, besides its own person. */
export class Participants {
  readonly #context: SessionContext;
  readonly #start: CommandStart;
  readonly #recording: Recording | undefined;
  readonly #names: Set<string>;
  readonly #here = new Map<string, () => void>();
  #over = false;

  constructor(context: SessionContext, start: CommandStart, recording: Recording | undefined) {
    this.#context = context;
    this.#start = start;
    this.#recording = recording;
    this.#names = new Set([start.session.user.slice(0, maxName)]);
  }

  /** Everybody who took part, the opener first. */
  get everybody(): readonly string[] {
    return [...this.#names];
  }

  /** See {@link LiveSessions.join}. */
  async join(who: Participant, signal: AbortSignal): Promise<SessionJoin> {
    const { session, terminal } = this.#start;
    const recording = this.#recording;
    if (recording === undefined) throw new GatehouseError("bad_parameter", `session ${session.sid} is not recorded, and cannot be watched`);
    if (who.mode === "peer" && (terminal === undefined || !session.tty)) {
      throw new GatehouseError("bad_parameter", `session ${session.sid} has no terminal whose keyboard could be shared`, { hint: "watch it: --mode=observer" });
    }
    const bytes = recording.follow(signal);
    const event = { ...sessionReading(session, who), mode: who.mode };
    if (!(await this.#write({ ...auditEvents.sessionJoin, ...event }))) throw new GatehouseError("unavailable", "the gateway cannot write its audit log and lets nobody join without it");
    const id = uuid();
    const leave = (): void => {
      if (!this.#here.delete(id)) return;
      signal.removeEventListener("abort", leave);
      this.#tell("leave", `${who.user} left`);
      this.#context.finishing(this.#write({ ...auditEvents.sessionLeave, ...event }).then(() => undefined));
    };
    this.#here.set(id, leave);
    if (this.#names.size < maxNames) this.#names.add(who.user.slice(0, maxName));
    this.#tell("join", `${who.user} joined${who.mode === "peer" ? " and can type" : " and watches"}`);
    // Between the question and the event it may have ended, or who asked may be gone.
    if (this.#over || signal.aborted) leave();
    else signal.addEventListener("abort", leave, { once: true });
    return {
      id,
      bytes,
      leave,
      input: async (typed) => {
        if (who.mode !== "peer" || terminal === undefined) throw new GatehouseError("access_denied", "you watch this session: what you type does not reach it");
        if (!this.#here.has(id)) throw new GatehouseError("not_found", "the session is over");
        try {
          await terminal.input(typed);
        } catch (error) {
          throw new GatehouseError("not_found", `the session takes no more input: ${errorMessage(error)}`, { cause: error });
        }
      },
    };
  }

  /** The session is over. */
  end(): void {
    this.#over = true;
    for (const leave of [...this.#here.values()]) leave();
  }

  /** Everybody reads it: participants, and players later, in the recording, the session's own person on the screen. */
  #tell(kind: "join" | "leave", text: string): void {
    this.#recording?.mark({ kind, text });
    if (!this.#over) this.#start.terminal?.notice(escapeLine(text));
  }

  #write(event: Parameters<SessionContext["recorder"]["write"]>[0]): Promise<boolean> {
    return new Promise((resolve) => this.#context.recorder.write(event, resolve));
  }
}
