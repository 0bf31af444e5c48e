import { subsystem } from "../../../audit/index.ts";
import type { AuditEventInput } from "../../../audit/index.ts";
import { GatehouseError, errorMessage, uuid } from "../../../base/index.ts";
import { encodeExitStatus, parseChannelRequest } from "../../../formats/index.ts";
import type { ChannelRequest, SshSession } from "../../../formats/index.ts";
import { SessionRefused } from "../../sessions/index.ts";
import type { CommandEnd, CommandSession, SessionStream } from "../../sessions/index.ts";
import { Channel } from "./channel.ts";
import type { ChannelMessage, ChannelOpen, ChannelPort, ChannelRequestMessage, Side } from "./channel.ts";
import { FileWatch } from "./file-watch.ts";
import { InputQueue } from "./input-queue.ts";
import type { SshLive } from "./types.ts";
import { whatRuns } from "./what-runs.ts";
import type { StartRequest, WhatRuns } from "./what-runs.ts";

/** Of each side's window the gateway keeps so much for what it has to say itself: why a session ends, what a participant types. */
const reserve = 4096;
/** Environment of one session: variables, and bytes of their names and values. */
const maxVariables = 256;
const maxEnvironment = 64 * 1024;
const maxTerm = 256;
const stderr = 1;
/** What ssh itself ends with when the connection is lost. */
const exitCode = 255;

/** What a session channel needs of its bridge. */
export interface SessionPort extends ChannelPort {
  /** When payload last passed in the connection; ms since the epoch. */
  now(): number;
  /** Begins a session. Throws {@link SessionRefused}. */
  openSession(sid: string, what: WhatRuns, terminal: SessionShape, channel: SessionChannel): Promise<CommandSession>;
  /** Writes events, and then calls back, which is told whether they could be written. */
  audit(events: readonly AuditEventInput[], done: (written: boolean) => void): void;
  /** Bytes that wait in this channel, and whether its recording is behind, may be others now. */
  flow(): void;
  live(session: SshLive): void;
  over(session: SshLive): void;
  /** Why the session may not go on, if so. */
  lost(session: SshLive, now: number): ReturnType<SshLive["lost"]>;
  /** A session may not begin; returns what its person is told. */
  refused(why: string): string;
  /** The session ended because of that. */
  disconnected(sid: string, reason: string, lock: string | undefined): void;
  /** The connection cannot go on. */
  failed(error: unknown): void;
  readonly forced: string | undefined;
  readonly agentAllowed: boolean;
  readonly x11Allowed: boolean;
  /** The host may open channels of this kind now. */
  expect(kind: "agent" | "x11"): void;
}

/** What is known of a session's terminal and surroundings before it starts. */
export interface SessionShape {
  readonly pty: { readonly term: string; readonly columns: number; readonly rows: number } | undefined;
}

/** A `session` channel: at most one shell, command or subsystem runs in it, which is one recorded session. */
export class SessionChannel extends Channel implements SessionStream {
  readonly #port: SessionPort;
  carried = 0;
  lastActive = 0;
  #pty: SessionShape["pty"];
  readonly #environment: string[] = [];
  #environmentSize = 0;
  readonly #forwards = new Set<string>();
  /** What the client sent while its session is being begun. */
  #held: { readonly message: ChannelMessage; readonly payload: Buffer }[] | undefined;
  #heldBytes = 0;
  #session: CommandSession | undefined;
  #live: SshLive | undefined;
  #files: FileWatch | undefined;
  #exit: CommandEnd = {};
  readonly #input = new InputQueue((bytes) => this.inject("host", bytes));

  constructor(port: SessionPort, open: ChannelOpen) {
    super(port, "client", open, reserve);
    this.#port = port;
  }

  /** The recording does not keep up with it. */
  get behind(): boolean {
    return this.#session?.behind ?? false;
  }

  /** Bytes that wait here for the session to begin. */
  get waiting(): number {
    return this.#heldBytes;
  }

  override take(from: Side, message: ChannelMessage, payload: Buffer): void {
    if (this.#held === undefined || from === "host") {
      super.take(from, message, payload);
      return;
    }
    this.#held.push({ message, payload });
    this.#heldBytes += payload.length;
    this.#port.flow();
  }

  /** Called by the session. */
  changed(): void {
    const problem = this.#session?.problem;
    if (problem !== undefined) this.stop(`access ended: ${problem}`);
    this.#port.flow();
  }

  /** Ends the session, with the reason on the person's screen. */
  stop(reason: string): void {
    this.#finish({ reason });
    if (this.isCut) return;
    // A command without a terminal would not notice that nobody is there any more.
    this.tell("host", "signal", Buffer.from("\0\0\0\x03HUP", "latin1"));
    this.cut(() => this.#say(reason));
  }

  protected ended(reason: string | undefined): void {
    const exited = this.#exit.exitCode !== undefined || this.#exit.signal !== undefined;
    this.#finish(reason === undefined || exited ? this.#exit : { reason });
  }

  /** Gives the host what a participant typed, when its window has room. */
  input(bytes: Uint8Array): Promise<void> {
    this.#session?.sink.stdin?.(bytes);
    return this.#input.add(bytes);
  }

  /** One line for the person; left out where their window is full. */
  notice(line: string): void {
    this.inject("client", Buffer.from(`\r\n[${line}]\r\n`, "utf8"), stderr);
  }

  protected granted(side: Side): void {
    if (side === "host" && this.#session !== undefined) this.#input.flow();
  }

  protected closed(from: Side): void {
    if (from === "host") this.#finish(this.#exit);
  }

  protected data(from: Side, bytes: Buffer, extended: boolean): boolean {
    const session = this.#session;
    // It would be in no recording.
    if (session === undefined) throw new GatehouseError("bad_parameter", "data in a session in which nothing runs");
    // Hosts drop it, and the recording would have it as something that the host said.
    if (extended && from === "client") throw new GatehouseError("bad_parameter", "data of a kind that only hosts send");
    this.lastActive = this.#port.now();
    this.carried += bytes.length;
    if (extended) session.sink.stderr?.(bytes);
    else if (this.#files !== undefined) return this.#watch(this.#files, from, bytes);
    else if (from === "client") session.sink.stdin?.(bytes);
    else session.sink.stdout?.(bytes);
    if (session.behind) this.#port.flow();
    return true;
  }

  protected request(from: Side, message: ChannelRequestMessage, payload: Buffer): void {
    const request = parseChannelRequest(message.name, message.data);
    if (from === "host") {
      if (request.kind === "exit_status") this.#exit = { exitCode: request.status };
      if (request.kind === "exit_signal") this.#exit = { signal: request.name };
      this.pass(from, message, payload);
    } else if (request.kind === "shell" || request.kind === "exec" || request.kind === "subsystem") {
      if (this.#session === undefined) this.#begin(request, message, payload);
      else this.answer("client", message, false);
    } else if (this.#permits(request, message.name)) {
      this.pass(from, message, payload);
    } else {
      this.answer("client", message, false);
    }
  }

  /** Whether a request of the client passes; notes what it says. */
  #permits(request: ChannelRequest, name: string): boolean {
    switch (request.kind) {
      case "pty":
        if (request.term.length > maxTerm) return false;
        this.#pty = request;
        return true;
      case "window_change":
        if (this.#pty !== undefined) this.#pty = { ...this.#pty, columns: request.columns, rows: request.rows };
        this.#session?.sink.resized?.(request.columns, request.rows);
        return true;
      case "env": {
        const variable = `${request.name}=${request.value}`;
        this.#environmentSize += variable.length;
        if (this.#environment.length >= maxVariables || this.#environmentSize > maxEnvironment) return false;
        this.#environment.push(variable);
        return true;
      }
      case "agent":
        return this.#forward("agent", this.#port.agentAllowed);
      case "x11":
        return this.#forward("x11", this.#port.x11Allowed);
      case "signal":
        this.#session?.mark("signal", request.name.slice(0, maxTerm));
        return true;
      default:
        return name === "break" || name === "eow@openssh.com" || name === "keepalive@openssh.com" || name === "xon-xoff";
    }
  }

  #forward(kind: "agent" | "x11", allowed: boolean): boolean {
    if (!allowed) return false;
    this.#forwards.add(kind);
    this.#port.expect(kind);
    return true;
  }

  #begin(request: StartRequest, message: ChannelRequestMessage, payload: Buffer): void {
    this.#held = [];
    const what = whatRuns(request, this.#port.forced, this.#pty !== undefined);
    const sid = uuid();
    this.#port
      .openSession(sid, what, { pty: this.#pty }, this)
      .then(
        (session) => this.#audited(session, what, message, payload),
        (error: unknown) => this.#refused(error, message),
      )
      .catch((error: unknown) => this.#port.failed(error));
  }

  /** Nothing of it goes to the host before the log has it. */
  #audited(session: CommandSession, what: WhatRuns, message: ChannelRequestMessage, payload: Buffer): void {
    const named = what.subsystem === undefined ? [] : [subsystem(session.session as SshSession, what.subsystem)];
    this.#port.audit([...session.started("ssh"), ...named], (written) => {
      try {
        this.#decided(written, session, what, message, payload);
      } catch (error) {
        this.#port.failed(error);
      }
    });
  }

  #decided(written: boolean, session: CommandSession, what: WhatRuns, message: ChannelRequestMessage, payload: Buffer): void {
    if (this.isCut || this.isClosed("host")) {
      session.drop();
      this.#release();
      return;
    }
    const problem = written ? session.problem : "the gateway cannot write its audit log";
    if (problem !== undefined) {
      session.end({ error: problem });
      this.#refused(new SessionRefused(503, problem), message);
      return;
    }
    this.#run(session, what, message, payload);
  }

  #run(session: CommandSession, what: WhatRuns, message: ChannelRequestMessage, payload: Buffer): void {
    this.#session = session;
    this.lastActive = this.#port.now();
    this.#files = what.files && new FileWatch(what.files, session, this.#port, () => this.stop("access ended: the gateway cannot write its audit log"));
    for (const variable of this.#environment) session.mark("env", variable);
    for (const kind of this.#forwards) session.mark("forward", kind === "agent" ? "the person's agent is forwarded" : "X11 is forwarded");
    session.run(this);
    const { lastActive } = this;
    const live: SshLive = {
      stream: false,
      sid: session.sid,
      lastActive,
      lost: (now) => this.#port.lost(live, now),
      end: (why) => {
        // Its connection may have ended already, for the same cause.
        if (this.#live === undefined) return;
        this.#port.disconnected(session.sid, why.message, why.lock);
        this.stop(why.message);
      },
      tick: (now) => session.tick(now),
    };
    this.#live = live;
    this.#port.live(live);
    this.pass("client", message, payload, (ok) => {
      if (!ok) this.#hostRefused(what);
    });
    this.#release();
    // Its recording may have failed, or fallen behind, before it ran.
    this.changed();
  }

  /** The host does not run it. The client may ask for something else. */
  #hostRefused(what: WhatRuns): void {
    const error = "the host refused it";
    const session = this.#session?.session as SshSession | undefined;
    if (session !== undefined && what.subsystem !== undefined) this.#port.audit([subsystem(session, what.subsystem, error)], () => undefined);
    this.#finish({ error });
    this.#session = undefined;
    this.#files = undefined;
    this.#exit = {};
  }

  /** It may not run: the client is told that it does, so that it shows why it does not. */
  #refused(error: unknown, message: ChannelRequestMessage): void {
    if (!(error instanceof SessionRefused)) throw error;
    const reason = this.#port.refused(errorMessage(error));
    this.answer("client", message, true);
    this.cut(() => this.#say(reason));
    this.#release();
  }

  /** Lets pass what waited for the session to begin. */
  #release(): void {
    const held = this.#held ?? [];
    this.#held = undefined;
    this.#heldBytes = 0;
    try {
      // A message among them may begin another one, which the rest then waits for.
      for (const { message, payload } of held) this.take("client", message, payload);
    } catch (error) {
      this.#port.failed(error);
    }
    this.#port.flow();
  }

  #watch(files: FileWatch, from: Side, bytes: Buffer): boolean {
    const problem = files.take(from, bytes);
    if (this.#session?.behind === true) this.#port.flow();
    if (problem === undefined) return true;
    const why = this.#session?.blind(problem);
    this.#files = undefined;
    if (why === undefined) return this.data(from, bytes, false);
    this.stop(`access ended: the session cannot be recorded, and must be: ${why}`);
    return false;
  }

  #say(reason: string): void {
    const end = this.#pty === undefined ? "\n" : "\r\n";
    this.inject("client", Buffer.from(`${this.carried > 0 ? end : ""}${reason}${end}`, "utf8"), stderr);
    if (this.#exit.exitCode === undefined && this.#exit.signal === undefined) this.tell("client", "exit-status", encodeExitStatus(exitCode));
  }

  #finish(how: CommandEnd): void {
    const session = this.#session;
    if (session === undefined || this.#live === undefined) return;
    this.#port.over(this.#live);
    this.#live = undefined;
    this.#files?.end();
    this.#input.close();
    session.end(how);
    this.#port.flow();
  }
}
