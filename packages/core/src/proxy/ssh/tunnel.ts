import { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { auditEvents, clientDisconnect } from "../../audit/index.ts";
import type { AuditEventInput } from "../../audit/index.ts";
import type { SessionStream, TunnelSession } from "../sessions/index.ts";
import type { Lost, SshLive } from "./bridge/index.ts";
import type { SshContext } from "./context.ts";
import type { Grant } from "./grant.ts";
import { pump } from "./pump.ts";
import { nodeFields } from "./refusals.ts";

/** What a tunnel connects. */
export interface TunnelEnds {
  readonly id: string;
  /** How the person comes; both are closed at the end. */
  readonly client: Duplex;
  readonly host: Socket;
  /** It counts as one of the person's sessions. */
  readonly session: TunnelSession;
  /** Tells the person why it is over, where there is a way; the client's stream ends right after. */
  readonly tell: (why: Lost) => void;
  readonly over: () => void;
}

/** What every event about a connection says. */
export function connectionFields(grant: Pick<Grant, "person" | "login" | "node" | "mode">, id: string): Omit<AuditEventInput, "event" | "code"> {
  const { person, login, node, mode } = grant;
  return {
    proto: "ssh",
    namespace: "default",
    user: person.username,
    login,
    sid: id,
    mode,
    "addr.remote": person.remoteAddress,
    "addr.local": person.localAddress,
    ...nodeFields(node),
  };
}

/** A connection that passes end to end: nothing in it can be seen here but how many bytes, and that it still may be. */
export class Tunnel implements SshLive, SessionStream {
  readonly stream = true;
  readonly sid: string;
  lastActive: number;
  sent = 0;
  received = 0;
  readonly #context: SshContext;
  readonly #grant: Grant;
  readonly #ends: TunnelEnds;
  readonly #started: number;
  #reason = "closed";
  #open = 2;
  #over = false;

  constructor(context: SshContext, grant: Grant, ends: TunnelEnds) {
    this.#context = context;
    this.#grant = grant;
    this.#ends = ends;
    this.sid = ends.id;
    this.#started = context.clock.now();
    this.lastActive = this.#started;
  }

  get carried(): number {
    return this.sent + this.received;
  }

  start(): void {
    const { client, host, session } = this.#ends;
    const { registry, clock } = this.#context;
    registry.add(this);
    session.run(this);
    pump(client, host, (bytes) => {
      this.sent += bytes;
      this.lastActive = clock.now();
    });
    pump(host, client, (bytes) => {
      this.received += bytes;
      this.lastActive = clock.now();
    });
    for (const [side, name] of [[client, "the client"], [host, "the host"]] as const) {
      side.once("error", () => this.#close(`${name} broke the connection`));
      side.once("close", () => this.#close(`closed by ${name}`));
      side.once("end", () => {
        this.#open -= 1;
        if (this.#open === 0) this.#reason = "closed";
      });
    }
    // It may have gone while it waited for its turn.
    if (client.destroyed || host.destroyed) this.#close("closed before a byte passed");
  }

  lost(now: number): Lost | undefined {
    return this.#grant.lost(this, now);
  }

  end(why: Lost): void {
    if (this.#over) return;
    const { person, login, node } = this.#grant;
    this.#context.recorder.write(
      clientDisconnect({ user: person.username, login, serverId: node.id, reason: why.message, origin: person, fields: { ...connectionFields(this.#grant, this.sid), lock: why.lock } }),
    );
    this.#ends.tell(why);
    this.#close(why.message);
  }

  changed(): void {
    // Nothing is recorded that could fall behind.
  }

  tick(): void {
    // It has no deadlines of its own.
  }

  #close(reason: string): void {
    if (this.#over) return;
    this.#over = true;
    const { client, host, session, over } = this.#ends;
    const { registry, recorder, clock } = this.#context;
    registry.remove(this);
    // What was written last still reaches the client; the host has nothing to wait for.
    host.destroy();
    finish(client);
    session.end();
    recorder.write({
      ...auditEvents.sshDisconnect,
      ...connectionFields(this.#grant, this.sid),
      reason: this.#open === 0 ? this.#reason : reason,
      bytes_sent: this.sent,
      bytes_received: this.received,
      duration_ms: Math.max(0, clock.now() - this.#started),
    });
    over();
  }
}

/** Ends a client's stream. A socket that is closed while bytes come in is reset, and what was written last lost with it. */
export function finish(client: Duplex): void {
  if (client.destroyed) return;
  if (client instanceof Socket) {
    client.end();
    client.resume();
    setTimeout(() => client.destroy(), lingerTime).unref();
  } else client.end(() => client.destroy());
}

/** How long a client may take to read what was written last, ms. */
const lingerTime = 500;
