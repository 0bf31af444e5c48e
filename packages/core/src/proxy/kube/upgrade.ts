import type { ClientRequest, IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import { systemErrorCode } from "../../base/index.ts";
import { createSpdyTap, createWebSocketTap, isWebSocketKnown } from "../../formats/index.ts";
import type { StreamSinks, StreamTap } from "../../formats/index.ts";
import { answerHeaders, rawHead, readOn, sendFailureRaw } from "../../relay/index.ts";
import { unaudited } from "./answer.ts";
import type { Grant } from "./authorize.ts";
import { attemptEvent, disconnectEvent, streamKind, upgradeEvent } from "./events.ts";
import { attemptKey, isFirstAttempt, recordDenial, refusalOf } from "./gateway.ts";
import type { Shared } from "./gateway.ts";
import { isNodeProxy } from "./path.ts";
import type { Live } from "./registry.ts";
import { openSession } from "./sessions/index.ts";
import type { StreamSession } from "./sessions/index.ts";
import { Refusal, failure } from "./status.ts";
import type { Failure } from "./status.ts";
import { StreamPair } from "./stream.ts";
import { isDecision, waysOf } from "./translate/index.ts";
import type { Settled, Way } from "./translate/index.ts";

/** When a silent peer is first asked whether it is there, ms. */
const keepAliveTime = 30_000;

/**
 * Refuses upgrades that the gateway would not know how to watch over. Throws {@link Refusal}. What an allowed one then carries is decided
 * by the API server's 101.
 */
export function checkUpgrade(grant: Grant): void {
  const { incoming, path, method } = grant;
  const protocol = incoming.upgrade?.toLowerCase();
  if (protocol !== "websocket" && protocol !== "spdy/3.1") {
    throw new Refusal(400, `the gateway does not upgrade to ${JSON.stringify(incoming.upgrade ?? "")}: Kubernetes streams are websocket or SPDY/3.1`);
  }
  if (incoming.hasBody) throw new Refusal(400, "a request for an upgrade has a body");
  if (method !== "GET" && method !== "POST") throw new Refusal(405, `the gateway does not upgrade ${method} requests`);
  if (streamKind(path) !== "other") return;
  const proxied = path.subresource === "proxy" && (path.resource === "pods" || path.resource === "services" || isNodeProxy(path));
  const followed = protocol === "websocket" && grant.long;
  if (!proxied && !followed) throw new Refusal(403, "the gateway upgrades exec, attach, portforward, proxy, watches and followed logs alone");
}

/** A request for an upgrade, from its grant to the API server's answer. */
export class Upgrade implements Live {
  readonly grant: Grant;
  readonly stream = true;
  readonly lastActive: number;
  readonly #shared: Shared;
  readonly #client: TLSSocket;
  readonly #head: Buffer;
  readonly #ways: Way[];
  #way: Way;
  #asked: ClientRequest;
  readonly #deadline: number;
  readonly #attempt: string | undefined;
  #session: StreamSession | undefined;
  #answered = false;
  #over = false;

  constructor(shared: Shared, grant: Grant, client: TLSSocket, head: Buffer) {
    this.#shared = shared;
    this.grant = grant;
    this.#client = client;
    this.#head = head;
    this.#attempt = attemptKey(grant);
    this.lastActive = shared.clock.now();
    this.#deadline = this.lastActive + grant.upstream.limits.upgradeTimeout;
    const [first, ...others] = waysOf(grant);
    this.#way = first;
    this.#ways = others;
    this.#asked = this.#ask();
  }

  get sid(): string | undefined {
    return this.#session?.sid;
  }

  /** Begins the session, if this is to be one, then asks the API server. */
  start(): void {
    this.grant.upstream.streams += 1;
    this.#shared.registry.add(this);
    this.#client.on("close", this.#clientClosed);
    openSession(this.#shared.sessions, this.grant).then(
      (session) => {
        this.#session = session;
        // Only now: one that is refused here too may be told what the first one was.
        if (this.#attempt !== undefined && !isFirstAttempt(this.grant.incoming.upgrade)) this.#shared.attempts.second(this.#attempt);
        if (this.#over) session?.drop();
        else this.#asked.end();
      },
      (error: unknown) => this.#unopened(error),
    );
  }

  end(why: Failure): void {
    if (this.#over) return;
    this.#finish();
    this.#asked.destroy();
    this.#shared.recorder.write(disconnectEvent(this.grant, why.message));
    if (this.#answered) this.#client.destroy();
    else sendFailureRaw(this.#client, why);
  }

  tick(now: number): void {
    if (this.#answered || now < this.#deadline) return;
    this.#asked.destroy(Object.assign(new Error("no answer in time"), { code: "ETIMEDOUT" }));
  }

  #ask(): ClientRequest {
    const { upstream, pathname, query } = this.grant;
    const asked = upstream.upgrade(this.#way.method, query === "" ? pathname : `${pathname}?${query}`, this.#way.headers);
    asked.on("upgrade", (answer, server, head) => this.#upgraded(answer, server, head));
    asked.on("response", (answer) => this.#refused(answer));
    asked.on("error", (error) => {
      if (asked === this.#asked) this.#failed(error);
    });
    return asked;
  }

  /** The API server did not understand how it was asked. */
  #askAgain(way: Way): void {
    const { refused } = this.#way;
    const before = this.#asked;
    this.#way = { ...way, taken: refused };
    try {
      this.#asked = this.#ask();
      this.#asked.end();
    } catch (error) {
      this.#fail(refusalOf(error, this.#shared.logger));
    }
    before.destroy();
  }

  #upgraded(answer: IncomingMessage, server: Socket, head: Buffer): void {
    // Node took its own listener off; between here and the pair a reset must not end the process.
    server.on("error", ignore);
    // Nor must an end: what came before it, and perhaps with the headers, is passed on all the same.
    server.allowHalfOpen = true;
    const { grant } = this;
    const settled = this.#way.settle(answer);
    const tap = typeof settled === "string" ? settled : tapOf(grant, settled, this.#session);
    if (typeof settled === "string" || typeof tap === "string") {
      server.destroy();
      this.#fail(failure(502, `the API server of Kubernetes cluster "${grant.connection.clusterName}" ${typeof tap === "string" ? tap : ""}`));
      return;
    }
    this.#way.taken();
    const { protocol } = settled;
    const events = [...(this.#session?.started(protocol) ?? []), upgradeEvent(grant, 101, protocol, undefined, this.#session?.sid)];
    this.#shared.recorder.writeAll(events, (written) => {
      const problem = this.#session?.problem;
      if (!this.#over && written && problem !== undefined) {
        server.destroy();
        const why = failure(503, problem);
        this.#session?.end(why.message);
        this.#fail(why);
        return;
      }
      if (!this.#over && written && !this.#client.destroyed && !server.destroyed) {
        this.#join(settled, server, head, tap);
        return;
      }
      const lost = server.destroyed;
      server.destroy();
      if (this.#over) return;
      if (written && lost) {
        this.#fail(failure(502, `the API server of Kubernetes cluster "${grant.connection.clusterName}" closed the stream at once`));
        return;
      }
      this.#finish();
      sendFailureRaw(this.#client, unaudited);
    });
  }

  /** What must be recorded and cannot be, or is one session too many, is not even asked for. */
  #unopened(error: unknown): void {
    if (this.#over) return;
    this.#finish();
    this.#asked.destroy();
    const why = refusalOf(error, this.#shared.logger);
    recordDenial(this.#shared, this.grant, this.grant.incoming.upgrade, why, (told) => sendFailureRaw(this.#client, told));
  }

  /** Writes down that this failed; of a first attempt as an attempt, and as a failure once no second one has come. */
  #recordFailure(status: number, error: string, done: (written: boolean) => void): void {
    const { attempts, recorder } = this.#shared;
    const event = upgradeEvent(this.grant, status, "", error);
    if (this.#attempt === undefined || !isFirstAttempt(this.grant.incoming.upgrade)) {
      recorder.write(event, done);
      return;
    }
    attempts.failed(this.#attempt, event, (held) => recorder.write(held));
    recorder.write(attemptEvent(this.grant, status, error), done);
  }

  #join(settled: Settled, server: Socket, head: Buffer, tap: StreamTap): void {
    const { grant } = this;
    const client = this.#client;
    const session = this.#session;
    this.#session = undefined;
    this.#finish();
    client.off("close", this.#clientClosed);
    for (const socket of [client, server]) {
      socket.setNoDelay(true);
      // Nobody may be there any more, and a stream may be silent for hours.
      socket.setKeepAlive(true, keepAliveTime);
    }
    readOn(server);
    client.write(rawHead(101, "Switching Protocols", settled.head), "latin1");
    const side = settled.join(server, head);
    // What was needed to decide the request is not kept for as long as the stream lasts.
    const kept: Grant = { ...grant, headers: [], incoming: { ...grant.incoming, passed: [], impersonation: [] } };
    new StreamPair(this.#shared, kept, client, side.server, tap, session).start(this.#head, side.head);
  }

  /** The API server's own answer, as it is: what kubectl prints is Kubernetes' message. */
  #refused(answer: IncomingMessage): void {
    const status = answer.statusCode ?? 502;
    if (status === 401) this.grant.upstream.refreshCredentials();
    answer.on("error", ignore);
    const next = this.#over || isDecision(answer) ? undefined : this.#ways.shift();
    if (next !== undefined) {
      this.#askAgain(next);
      return;
    }
    this.#recordFailure(status, `the API server answered ${String(status)}`, (written) => {
      if (this.#over) return;
      this.#answered = true;
      // Before the answer: its client may try again as soon as it has it.
      this.#drop();
      if (!written) {
        this.#finish();
        this.#asked.destroy();
        sendFailureRaw(this.#client, unaudited);
        return;
      }
      const pairs = answerHeaders(answer.headersDistinct);
      pairs.push("connection", "close");
      this.#client.write(rawHead(status, answer.statusMessage ?? "", pairs), "latin1");
      this.#client.resume();
      answer.on("close", () => {
        this.#finish();
        if (!answer.complete) this.#client.destroy();
      });
      answer.pipe(this.#client);
    });
  }

  #failed(error: Error): void {
    if (this.#over || this.#answered) return;
    const { clusterName } = this.grant.connection;
    const code = systemErrorCode(error) ?? error.name;
    this.#fail(
      code === "ETIMEDOUT"
        ? failure(504, `the API server of Kubernetes cluster "${clusterName}" did not answer in time`)
        : failure(502, `the API server of Kubernetes cluster "${clusterName}" could not be reached (${code})`),
    );
  }

  #fail(why: Failure): void {
    this.#recordFailure(why.code, why.message, (written) => {
      if (this.#over) return;
      this.#finish();
      sendFailureRaw(this.#client, written ? why : unaudited);
    });
  }

  readonly #clientClosed = (): void => {
    if (this.#over) return;
    this.#finish();
    this.#asked.destroy();
    if (!this.#answered) this.#shared.recorder.write(upgradeEvent(this.grant, 0, "", "the client closed the connection before the answer"));
  };

  #finish(): void {
    if (this.#over) return;
    this.#over = true;
    this.grant.upstream.streams -= 1;
    this.#shared.registry.remove(this);
    this.#drop();
  }

  /** The session did not come about. */
  #drop(): void {
    this.#session?.drop();
    this.#session = undefined;
  }
}

const ignore = (): void => undefined;

/** What the 101 negotiated decides how the stream is watched; a text says what is wrong with it. */
function tapOf(grant: Grant, { transport, protocol }: Settled, session: StreamSession | undefined): StreamTap | string {
  const sinks: StreamSinks = session?.sinks ?? {};
  if (transport !== "websocket") return createSpdyTap({ protocol, ...sinks });
  const options = { subprotocol: protocol, purpose: streamKind(grant.path), ...sinks };
  return (isWebSocketKnown(options) ? undefined : session?.blind(protocol)) ?? createWebSocketTap(options);
}
