import type { SessionContext } from "./context.ts";
import type { ForwardedConnection, LiveSession, PortSession, PortStart, SessionStream } from "./types.ts";
import { unrecordedView } from "./unrecorded-view.ts";

/** Connections of one session that get events of their own; those after them are summed up, once a minute. */
const maxOwnEvents = 1000;
const sumInterval = 60_000;
/** Addresses that are summed up one by one. */
const maxSums = 64;

interface Sum {
  connections: number;
  sent: number;
  received: number;
  failed: number;
}

/** {@link PortSession}. */
export class CountedPorts implements PortSession {
  readonly sid: string;
  readonly user: string;
  readonly #context: SessionContext;
  readonly #start: PortStart;
  readonly #started: number;
  readonly #over: () => void;
  /** When each open connection was opened. */
  readonly #open = new Map<ForwardedConnection, number>();
  readonly #sums = new Map<string, Sum>();
  #summedAt: number;
  #told = 0;
  #stream: SessionStream | undefined;
  #ended = false;

  constructor(context: SessionContext, start: PortStart, over: () => void) {
    this.sid = start.sid;
    this.user = start.user;
    this.#context = context;
    this.#start = start;
    this.#started = context.clock.now();
    this.#summedAt = this.#started;
    this.#over = over;
  }

  opened(connection: ForwardedConnection): void {
    this.#open.set(connection, this.#context.clock.now());
  }

  closed(connection: ForwardedConnection): void {
    this.#close(connection, this.#context.clock.now());
  }

  run(stream: SessionStream): void {
    this.#stream = stream;
  }

  kill(message: string): void {
    this.#start.kill(message);
  }

  tick(now: number): void {
    if (this.#sums.size > 0 && now - this.#summedAt >= sumInterval) this.#tellSums(now);
  }

  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#over();
    const now = this.#context.clock.now();
    for (const connection of [...this.#open.keys()]) this.#close(connection, now);
    this.#tellSums(now);
  }

  drop(): void {
    this.#ended = true;
    this.#over();
  }

  /** As administrators see it; undefined where it does not run yet. */
  view(): LiveSession | undefined {
    return this.#stream && unrecordedView("portforward", this.#start, this.#started, this.#stream);
  }

  #close(connection: ForwardedConnection, now: number): void {
    const opened = this.#open.get(connection);
    if (opened === undefined) return;
    this.#open.delete(connection);
    const { addr, sent, received, error } = connection;
    if (this.#told < maxOwnEvents) {
      this.#told += 1;
      this.#tell(addr, error === "" ? undefined : error, { connections: 1, bytes_sent: sent, bytes_received: received, duration_ms: Math.max(0, now - opened) });
      return;
    }
    const key = this.#sums.has(addr) || this.#sums.size < maxSums ? addr : "";
    const sum = this.#sums.get(key) ?? { connections: 0, sent: 0, received: 0, failed: 0 };
    this.#sums.set(key, sum);
    sum.connections += 1;
    sum.sent += sent;
    sum.received += received;
    if (error !== "") sum.failed += 1;
  }

  #tellSums(now: number): void {
    for (const [addr, { connections, sent, received, failed }] of this.#sums) {
      this.#tell(addr, undefined, { connections, failed, bytes_sent: sent, bytes_received: received, duration_ms: Math.max(0, now - this.#summedAt) });
    }
    this.#sums.clear();
    this.#summedAt = now;
  }

  #tell(addr: string, error: string | undefined, counts: Readonly<Record<string, number>>): void {
    this.#context.recorder.write(this.#start.event(addr, error, counts));
  }
}
