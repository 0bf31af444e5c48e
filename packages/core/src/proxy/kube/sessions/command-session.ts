import { sessionEnd, sessionGap, sessionResize, sessionStart } from "../../../audit/index.ts";
import type { AuditEventInput, Recording, RecordingMode } from "../../../audit/index.ts";
import { GatehouseError, errorMessage } from "../../../base/index.ts";
import { commandOutcome, maxOutcome } from "../../../formats/index.ts";
import type { CommandOutcome, CommandSink, RecordedSession, StreamSinks, TerminalSize } from "../../../formats/index.ts";
import type { Grant } from "../authorize.ts";
import { Refusal } from "../status.ts";
import { findContainer } from "./container.ts";
import { recordedSession, recordingHeader } from "./header.ts";
import type { SessionContext } from "./sessions.ts";
import type { LiveSession, SessionStream, StreamSession } from "./types.ts";

/** Between two `resize` events of one session, ms; and how many it may have. The recording has every size. */
const resizeInterval = 1000;
const maxResizes = 1000;
/** Characters of a reason. */
const maxReason = 1000;

/** One exec or attach. */
export class CommandSession implements StreamSession {
  readonly sid: string;
  readonly sinks: StreamSinks;
  readonly user: string;
  readonly #context: SessionContext;
  readonly #session: RecordedSession;
  readonly #localAddress: string;
  readonly #recording: Recording | undefined;
  readonly #mode: RecordingMode | "off";
  readonly #over: () => void;
  #stream: SessionStream | undefined;
  #outcome = "";
  #size: TerminalSize | undefined;
  #sizeTold = 0;
  #sizes = 0;
  /** Its beginning is audited: so must be its end. */
  #begun = false;
  #ended = false;

  private constructor(context: SessionContext, grant: Grant, session: RecordedSession, recording: Recording | undefined, mode: RecordingMode | "off", over: () => void) {
    this.sid = session.sid;
    this.user = grant.user;
    this.#context = context;
    this.#session = session;
    this.#localAddress = grant.connection.localAddress;
    this.#recording = recording;
    this.#mode = mode;
    this.#over = over;
    this.sinks = { command: this.#sink(grant.principal.identity.roles.options().recordStdin) };
  }

  /**
   * Begins one, its recording with it. `over` is called when it is no longer under way. Throws {@link Refusal} where it must be recorded
   * and cannot be.
   */
  static async open(context: SessionContext, grant: Grant, sid: string, mode: RecordingMode | "off", over: () => void): Promise<CommandSession> {
    const started = context.clock.now();
    const runsIn = mode === "off" ? undefined : await findContainer(grant, new URLSearchParams(grant.query).get("container"), context.logger);
    const session = recordedSession(grant, sid, context.serverId, started, runsIn);
    const late: { session?: CommandSession } = {};
    const recording = mode === "off" || context.recordings === undefined ? undefined : await openRecording(context, session, mode, late);
    late.session = new CommandSession(context, grant, session, recording, mode, over);
    return late.session;
  }

  get behind(): boolean {
    return this.#recording?.behind ?? false;
  }

  get problem(): string | undefined {
    const why = this.#recording?.problem;
    return why === undefined ? undefined : `the session can no longer be recorded: ${why}`;
  }

  get recording(): Recording | undefined {
    return this.#recording;
  }

  started(protocol: string): readonly AuditEventInput[] {
    this.#begun = true;
    return [sessionStart(this.#session, { protocol, localAddress: this.#localAddress, recorded: this.#recording !== undefined })];
  }

  blind(protocol: string): string | undefined {
    if (this.#recording === undefined) return undefined;
    const why = `the streams of protocol ${JSON.stringify(protocol)} are not known`;
    if (this.#mode === "strict") return `chose streams that cannot be recorded, and must be: ${why}`;
    this.#context.recorder.write(sessionGap(this.#session, { bytes: 0, why, over: false }));
    return undefined;
  }

  run(stream: SessionStream): void {
    this.#stream = stream;
  }

  /** Called by its recording. */
  recordingChanged(): void {
    this.#stream?.changed();
  }

  tick(now: number): void {
    if (this.#size !== undefined && now - this.#sizeTold >= resizeInterval) this.#tellSize(now);
  }

  end(reason: string | undefined): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#over();
    this.#context.finishing(this.#finish(reason));
  }

  drop(): void {
    if (this.#ended) return;
    if (this.#begun) {
      this.end("it was over before a byte passed");
      return;
    }
    this.#ended = true;
    this.#over();
    if (this.#recording !== undefined) this.#context.finishing(this.#recording.discard());
  }

  view(): LiveSession | undefined {
    if (this.#stream === undefined) return undefined;
    const { sid, kind, user, cluster, namespace, pod, container, command, tty, address, started } = this.#session;
    const { lastActive, carried } = this.#stream;
    return { sid, kind, user, cluster, namespace, pod, container, command, tty, address, started, lastActive, bytes: carried, recording: this.#recording?.size };
  }

  #sink(recordStdin: boolean): CommandSink {
    const recording = this.#recording;
    const record = (stream: "o" | "e" | "i") => recording && ((bytes: Uint8Array) => recording.write(stream, bytes));
    return {
      stdin: recordStdin ? record("i") : undefined,
      stdout: record("o"),
      stderr: record("e"),
      error: (bytes) => {
        const room = maxOutcome - this.#outcome.length;
        if (room > 0) this.#outcome += Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(room, bytes.length)).toString("latin1");
      },
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
    if (size !== undefined && this.#sizes <= maxResizes) this.#context.recorder.write(sessionResize(this.#session, size));
  }

  async #finish(ended: string | undefined): Promise<void> {
    // JSON of another language than English is cut into bytes anywhere; only whole it is text.
    const outcome = commandOutcome(Buffer.from(this.#outcome, "latin1").toString("utf8"));
    const reason = (ended ?? reasonOf(outcome)).slice(0, maxReason);
    const exitCode = outcome?.exitCode;
    const duration = Math.max(0, this.#context.clock.now() - this.#session.started);
    const recording = await this.#recording?.end({ reason, ...(exitCode === undefined ? {} : { exitCode }) });
    const told = await new Promise<boolean>((resolve) =>
      this.#context.recorder.write(sessionEnd(this.#session, { reason, exitCode, duration, recording, carried: this.#stream?.carried }), resolve),
    );
    // Untold, it keeps the name by which the next start of the gateway finds it.
    if (told) await this.#recording?.settle();
  }
}

function reasonOf(outcome: CommandOutcome | undefined): string {
  if (outcome === undefined) return "the connection was closed";
  if (outcome.exitCode !== undefined) return `the command ended with exit code ${String(outcome.exitCode)}`;
  return outcome.message ?? "the command failed";
}

async function openRecording(context: SessionContext, session: RecordedSession, mode: RecordingMode, late: { readonly session?: CommandSession }): Promise<Recording | undefined> {
  const { recordings, recorder, logger } = context;
  try {
    return await recordings?.open(recordingHeader(session), mode, {
      changed: () => late.session?.recordingChanged(),
      gap: (gap) => recorder.write(sessionGap(session, gap)),
    });
  } catch (error) {
    const why = errorMessage(error);
    logger.error({ sid: session.sid, user: session.user, error: why, cause: error instanceof Error && error.cause !== undefined ? errorMessage(error.cause) : undefined }, "a session cannot be recorded");
    if (mode === "strict") {
      const large = error instanceof GatehouseError && error.code === "limit_exceeded";
      throw new Refusal(large ? 413 : 503, large ? "the command is too long to be recorded, and must be recorded" : `${why}, and must be recorded`);
    }
    recorder.write(sessionGap(session, { bytes: 0, why, over: false }));
    return undefined;
  }
}
