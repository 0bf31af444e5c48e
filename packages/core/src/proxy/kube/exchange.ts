import type { IncomingMessage, ServerResponse } from "node:http";
import { PassThrough } from "node:stream";
import type { Dispatcher } from "undici";
import { systemErrorCode } from "../../base/index.ts";
import { statusText } from "../../formats/index.ts";
import { answerHeaders, sendFailure } from "../../relay/index.ts";
import { unaudited } from "./answer.ts";
import type { Grant } from "./authorize.ts";
import { disconnectEvent, requestEvent } from "./events.ts";
import type { Shared } from "./gateway.ts";
import { queryFlag } from "./path.ts";
import type { Live } from "./registry.ts";
import { failure } from "./status.ts";
import type { Failure } from "./status.ts";

/** Bodies up to this are read whole before they are sent on: one write instead of a stream, and an early answer is not lost. */
const smallBody = 64 * 1024;
/** What may wait while the audit event is written, before the API server is held back. */
const waitingBody = 64 * 1024;

type State = "waiting" | "auditing" | "open" | "over";

/** One ordinary request, from its grant to the end of its answer. */
export class Exchange implements Dispatcher.DispatchHandler, Live {
  readonly grant: Grant;
  readonly stream: boolean;
  lastActive: number;
  readonly #shared: Shared;
  readonly #request: IncomingMessage;
  readonly #response: ServerResponse;
  #controller: Dispatcher.DispatchController | undefined;
  #state: State = "waiting";
  #status = 0;
  #headers: Record<string, string | string[] | undefined> = {};
  #waiting: Buffer[] = [];
  #waitingBytes = 0;
  #answerEnded = false;
  #retried = false;
  #lineEnded = true;

  constructor(shared: Shared, grant: Grant, request: IncomingMessage, response: ServerResponse) {
    this.#shared = shared;
    this.grant = grant;
    this.stream = grant.long;
    this.#request = request;
    this.#response = response;
    this.lastActive = shared.clock.now();
  }

  /** Sends the request on. */
  start(): void {
    const { upstream, long, incoming } = this.grant;
    if (long) upstream.longRequests += 1;
    else upstream.requests += 1;
    this.#shared.registry.add(this);
    this.grant.connection.underWay.add(this.#clientClosed);
    if (!incoming.hasBody) this.#dispatch(null);
    else if (incoming.contentLength !== undefined && incoming.contentLength <= smallBody) this.#collect();
    else this.#dispatch(this.#request.pipe(new PassThrough().on("error", ignore)));
  }

  end(why: Failure): void {
    if (this.#state === "over") return;
    const opened = this.#state === "open";
    const event = this.stream || this.#state !== "waiting" ? disconnectEvent(this.grant, why.message) : requestEvent(this.grant, why.code, why.message);
    const sayInWatch = opened && this.#lineEnded && this.#isJsonWatch();
    this.#finish();
    this.#abort();
    this.#shared.recorder.write(event);
    if (!opened) sendFailure(this.#response, why);
    else if (sayInWatch) this.#response.end(`{"type":"ERROR","object":${statusText(why)}}\n`);
    else this.#response.destroy();
  }

  tick(): void {
    // Nothing of its own: the pool looks after its timeouts.
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#state === "over") this.#abort();
  }

  onResponseStart(_controller: Dispatcher.DispatchController, status: number, headers: Record<string, string | string[] | undefined>): void {
    if (status < 200 || this.#state !== "waiting") return;
    this.#state = "auditing";
    this.#status = status;
    this.#headers = headers;
    if (status === 401) this.grant.upstream.refreshCredentials();
    this.#shared.recorder.write(requestEvent(this.grant, status), this.#audited);
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#state === "auditing") {
      this.#waiting.push(chunk);
      this.#waitingBytes += chunk.length;
      if (this.#waitingBytes > waitingBody) controller.pause();
      return;
    }
    if (this.#state !== "open") return;
    this.#pass(controller, chunk);
  }

  onResponseEnd(): void {
    this.#answerEnded = true;
    if (this.#state !== "open") return;
    this.#finish();
    this.#response.end();
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    if (this.#state === "over") return;
    if (this.#state === "open") {
      this.#finish();
      this.#response.destroy();
      return;
    }
    if (this.#state === "waiting" && this.#mayRetry(error)) {
      this.#retried = true;
      this.#dispatch(null);
      return;
    }
    const { clusterName } = this.grant.connection;
    const code = systemErrorCode(error) ?? error.name;
    const late = code === "UND_ERR_CONNECT_TIMEOUT" || code === "UND_ERR_HEADERS_TIMEOUT" || code === "ETIMEDOUT";
    const why = late
      ? failure(504, `the API server of Kubernetes cluster "${clusterName}" did not answer in time`)
      : failure(502, `the API server of Kubernetes cluster "${clusterName}" could not be reached (${code})`);
    const alreadyRecorded = this.#state === "auditing";
    this.#finish();
    if (alreadyRecorded) sendFailure(this.#response, why);
    else this.#shared.recorder.write(requestEvent(this.grant, why.code, why.message), (written) => sendFailure(this.#response, written ? why : unaudited));
  }

  /** A pooled connection that the API server closed meanwhile; safe to repeat where nothing can have happened twice. */
  #mayRetry(error: Error): boolean {
    const { method, incoming } = this.grant;
    if (this.#retried || incoming.hasBody || (method !== "GET" && method !== "HEAD")) return false;
    const code = systemErrorCode(error);
    return code === "UND_ERR_SOCKET" || code === "ECONNRESET" || code === "EPIPE";
  }

  #dispatch(body: Dispatcher.DispatchOptions["body"]): void {
    const { upstream, long, method, pathname, query, headers } = this.grant;
    upstream.dispatch(long, method, query === "" ? pathname : `${pathname}?${query}`, headers, body, this);
  }

  #collect(): void {
    const chunks: Buffer[] = [];
    this.#request.on("data", (chunk: Buffer) => chunks.push(chunk));
    this.#request.on("end", () => {
      if (this.#state === "waiting") this.#dispatch(chunks.length === 1 ? (chunks[0] ?? null) : Buffer.concat(chunks));
    });
  }

  readonly #audited = (written: boolean): void => {
    if (this.#state !== "auditing") return;
    if (!written) {
      this.#finish();
      this.#abort();
      sendFailure(this.#response, unaudited);
      return;
    }
    this.#state = "open";
    const response = this.#response;
    response.writeHead(this.#status, answerHeaders(this.#headers));
    const waiting = this.#waiting;
    this.#waiting = [];
    if (this.#answerEnded) {
      this.#finish();
      if (waiting.length === 0) response.end();
      else response.end(waiting.length === 1 ? waiting[0] : Buffer.concat(waiting));
      return;
    }
    response.on("drain", this.#drained);
    if (waiting.length === 0) response.flushHeaders();
    const controller = this.#controller;
    if (controller === undefined) return;
    for (const chunk of waiting) this.#pass(controller, chunk);
    if (!response.writableNeedDrain) controller.resume();
  };

  #pass(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.stream) {
      this.lastActive = this.#shared.clock.now();
      this.#lineEnded = chunk[chunk.length - 1] === 0x0a;
    }
    if (!this.#response.write(chunk)) controller.pause();
  }

  readonly #drained = (): void => {
    this.#controller?.resume();
  };

  readonly #clientClosed = (): void => {
    if (this.#state === "over") return;
    const answered = this.#state !== "waiting";
    this.#finish();
    this.#abort();
    // Whether the API server acted on it is unknown: that it was asked must be written all the same.
    if (!answered) this.#shared.recorder.write(requestEvent(this.grant, 0, "the client closed the connection before the answer"));
  };

  #abort(): void {
    if (this.#controller?.aborted === false) this.#controller.abort(new Error("the gateway ended the request"));
  }

  #isJsonWatch(): boolean {
    const type = this.#headers["content-type"];
    return (
      this.#headers["content-encoding"] === undefined && typeof type === "string" && type.startsWith("application/json") && queryFlag(this.grant.query, "watch")
    );
  }

  #finish(): void {
    if (this.#state === "over") return;
    this.#state = "over";
    const { connection, upstream, long } = this.grant;
    connection.underWay.delete(this.#clientClosed);
    if (long) upstream.longRequests -= 1;
    else upstream.requests -= 1;
    this.#shared.registry.remove(this);
  }
}

/** undici destroys a body with the error that {@link Exchange.onResponseError} gets too. */
const ignore = (): void => undefined;
