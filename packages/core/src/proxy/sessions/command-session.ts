import { sessionEnds, sessionGap, sessionResize, sessionStart } from "../../audit/index.ts";
import type { AuditEventInput, Recording, RecordingMode } from "../../audit/index.ts";
import { GatehouseError, errorMessage } from "../../base/index.ts";
import { sessionPlace } from "../../formats/index.ts";
import type { CommandSink, RecordedSession, TerminalSize } from "../../formats/index.ts";
import type { SessionContext } from "./context.ts";
import { recordingHeader } from "./header.ts";
import { Participants } from "./participants.ts";
import { SessionRefused } from "./refused.ts";
import type { CommandEnd, CommandSession, CommandStart, LiveSession, RecordingDefault, SessionStream } from "./types.ts";

/** Between two `resize` events of one session, ms; and how many it may have. The recording has every size. */
const resizeInterval = 1000;
const maxResizes = 1000;
/** Characters of a reason. */
const maxReason = 1000;

/** {@link CommandSession}, its recording with it. */
export class RecordedCommand implements CommandSession {
  readonly session: RecordedSession;
  readonly sink: CommandSink;
  readonly participants: Participants;
  readonly #context: SessionContext;
  readonly #start: CommandStart;
  readonly #recording: Recording | undefined;
  readonly #mode: RecordingDefault;
  readonly #over: () => void;
  #stream: SessionStream | undefined;
  #size: TerminalSize | undefined;
  #sizeTold = 0;
  #sizes = 0;
  /** Its beginning is audited: so must be its end. */
  #begun = false;
  #ended = false;

  private constructor(context: SessionContext, start: CommandStart, recording: Recording | undefined, mode: RecordingDefault, over: () => void) {
    this.session = start.session;
    this.#context = context;
    this.#start = start;
    this.#recording = recording;
    this.#mode = mode;
    this.#over = over;
    this.sink = this.#sink(start.options.recordStdin);
    this.participants = new Participants(context, start, recording);
  }

  /** Begins one. `over` is called when it is no longer under way. Throws {@link SessionRefused} where it must be recorded and cannot be. */
  static async open(context: SessionContext, start: CommandStart, mode: RecordingDefault, over: () => void): Promise<RecordedCommand> {
    const late: { session?: RecordedCommand } = {};
    const recording = mode === "off" || context.recordings === undefined ? undefined : await openRecording(context, start, mode, late);
    late.session = new RecordedCommand(context, start, recording, mode, over);
    return late.session;
  }

  get sid(): string {
    return this.session.sid;
  }

  get user(): string {
    return this.session.user;
  }

  get recorded(): boolean {
    return this.#recording !== undefined;
  }

  get behind(): boolean {
    return this.#recording?.behind ?? false;
  }

  get problem(): string | undefined {
    const why = this.#recording?.problem;
    return why === undefined ? undefined : `the session can no longer be recorded: ${why}`;
  }

  started(protocol: string): readonly AuditEventInput[] {
    this.#begun = true;
    return [sessionStart(this.session, { protocol, localAddress: this.#start.localAddress, recorded: this.recorded, size: this.#start.size })];
  }

  blind(why: string): string | undefined {
    if (this.#recording === undefined) return undefined;
    if (this.#mode === "strict") return why;
    this.#context.recorder.write(sessionGap(this.session, { bytes: 0, why, over: false }));
    return undefined;
  }

  run(stream: SessionStream): void {
    this.#stream = stream;
  }

  mark(kind: string, text: string): void {
    this.#recording?.mark({ kind, text });
  }

  kill(message: string): void {
    this.#start.kill(message);
  }

  /** Called by its recording. */
  recordingChanged(): void {
    this.#stream?.changed();
  }

  tick(now: number): void {
    if (this.#size !== undefined && now - this.#sizeTold >= resizeInterval) this.#tellSize(now);
  }

  end(how: CommandEnd): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#over();
    if (this.#size !== undefined) this.#tellSize(this.#context.clock.now());
    this.participants.end();
    this.#context.finishing(this.#finish(how));
  }

  drop(): void {
    if (this.#ended) return;
    if (this.#begun) {
      this.end({ reason: "it was over before a byte passed" });
      return;
    }
    this.#ended = true;
    this.#over();
    if (this.#recording !== undefined) this.#context.finishing(this.#recording.discard());
  }

  /** As administrators see it; undefined where it does not run yet. */
  view(): LiveSession | undefined {
    if (this.#stream === undefined) return undefined;
    const { sid, kind, user, command, tty, address, started } = this.session;
    const { lastActive, carried } = this.#stream;
    const participants = this.participants.everybody;
    return { ...sessionPlace(this.session), sid, kind, user, participants, command, tty, address, started, lastActive, bytes: carried, recording: this.#recording?.size };
  }

  #sink(recordStdin: boolean): CommandSink {
    const recording = this.#recording;
    const record = (stream: "o" | "e" | "i") => recording && ((bytes: Uint8Array) => recording.write(stream, bytes));
    return {
      stdin: recordStdin ? record("i") : undefined,
      stdout: record("o"),
      stderr: record("e"),
      resized: (columns, rows) => {
        recording?.resize({ columns, rows });
        this.#size = { columns, rows };
        this.tick(this.#context.clock.now());
      },
    };
  }

  #tellSize(now: number): void {
    const size = this.#size;
    this.#size = undefined;
    this.#sizeTold = now;
    this.#sizes += 1;
    if (size !== undefined && this.#sizes <= maxResizes) this.#context.recorder.write(sessionResize(this.session, size));
  }

  async #finish(how: CommandEnd): Promise<void> {
    const { exitCode, signal, error } = how;
    const reason = (how.reason ?? error ?? reasonOf(how)).slice(0, maxReason);
    const duration = Math.max(0, this.#context.clock.now() - this.session.started);
    const participants = this.participants.everybody;
    const recording = await this.#recording?.end({
      reason,
      ...(exitCode === undefined ? {} : { exitCode }),
      ...(signal === undefined ? {} : { signal }),
      ...(participants.length > 1 ? { participants } : {}),
    });
    const ends = sessionEnds(this.session, { reason, error, exitCode, signal, duration, recording, carried: this.#stream?.carried, participants });
    const told = await new Promise<boolean>((resolve) => this.#context.recorder.writeAll(ends, resolve));
    // Untold, it keeps the name by which the next start of the gateway finds it.
    if (told) await this.#recording?.settle();
  }
}

function reasonOf({ exitCode, signal }: CommandEnd): string {
  if (signal !== undefined) return `the command was ended by signal ${signal}`;
  return exitCode === undefined ? "the connection was closed" : `the command ended with exit code ${String(exitCode)}`;
}

async function openRecording(context: SessionContext, start: CommandStart, mode: RecordingMode, late: { readonly session?: RecordedCommand }): Promise<Recording | undefined> {
  const { recordings, recorder, logger } = context;
  const { session } = start;
  try {
    return await recordings?.open(recordingHeader(start), mode, {
      changed: () => late.session?.recordingChanged(),
      gap: (gap) => recorder.write(sessionGap(session, gap)),
    });
  } catch (error) {
    const why = errorMessage(error);
    logger.error({ sid: session.sid, user: session.user, error: why, cause: error instanceof Error && error.cause !== undefined ? errorMessage(error.cause) : undefined }, "a session cannot be recorded");
    if (mode === "strict") {
      const large = error instanceof GatehouseError && error.code === "limit_exceeded";
      throw new SessionRefused(large ? 413 : 503, large ? "the command is too long to be recorded, and must be recorded" : `${why}, and must be recorded`);
    }
    recorder.write(sessionGap(session, { bytes: 0, why, over: false }));
    return undefined;
  }
}
