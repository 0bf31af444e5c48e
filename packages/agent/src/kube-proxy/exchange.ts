import type { IncomingMessage, ServerResponse } from "node:http";
import { PassThrough } from "node:stream";
import type { Dispatcher } from "undici";
import { systemErrorCode } from "@gatehouse/core/base";
import { answerHeaders, sendFailure } from "@gatehouse/core/relay";
import { noAnswer, type Passing } from "./context.ts";
import { isLong } from "./describe.ts";
import { passHeaders, type PassedHeaders } from "./headers.ts";
import type { OutgoingRequest } from "./route.ts";

/** Bodies up to this are read whole before they are sent on: one write instead of a stream, and an early answer is not lost. */
const smallBody = 64 * 1024;

/** One ordinary request, from its headers to the end of its answer. */
export class Exchange implements Dispatcher.DispatchHandler {
  readonly #passing: Passing;
  readonly #request: IncomingMessage;
  readonly #response: ServerResponse;
  readonly #headers: PassedHeaders;
  #controller: Dispatcher.DispatchController | undefined;
  #retried = false;
  #over = false;

  constructor(passing: Passing, request: IncomingMessage, response: ServerResponse) {
    this.#passing = passing;
    this.#request = request;
    this.#response = response;
    this.#headers = passHeaders(request.rawHeaders, false);
  }

  /** Sends the request on. */
  start(): void {
    const { hasBody, contentLength } = this.#headers;
    this.#response.once("close", this.#closed);
    if (!hasBody) this.#dispatch(null);
    else if (contentLength !== undefined && contentLength <= smallBody) this.#collect();
    else {
      this.#request.on("data", (chunk: Buffer) => this.#passing.entry.passed(chunk.length));
      this.#dispatch(this.#request.pipe(new PassThrough().on("error", ignore)));
    }
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#over) this.#abort();
  }

  onResponseStart(_controller: Dispatcher.DispatchController, status: number, headers: Record<string, string | string[] | undefined>): void {
    if (status < 200 || this.#over) return;
    const { entry, refused } = this.#passing;
    entry.answered(status);
    if (status === 401) refused();
    const response = this.#response;
    response.on("drain", this.#drained);
    response.writeHead(status, this.#located(answerHeaders(headers)));
    // A watch may say nothing for minutes.
    if (headers["content-length"] === undefined) response.flushHeaders();
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#over) return;
    this.#passing.entry.passed(chunk.length);
    if (!this.#response.write(chunk)) controller.pause();
  }

  onResponseEnd(): void {
    if (this.#over) return;
    this.#finish();
    this.#response.end();
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    if (this.#over) return;
    if (this.#response.headersSent) {
      this.#finish();
      this.#response.destroy();
      return;
    }
    if (this.#mayRetry(error)) {
      this.#retried = true;
      this.#dispatch(null);
      return;
    }
    const why = noAnswer(error, this.#passing.gateway);
    this.#passing.entry.answered(why.code);
    this.#finish();
    // Clients that try again by themselves would keep the reason from the person for a minute.
    sendFailure(this.#response, why, false);
  }

  /** A shared connection that the gateway closed meanwhile; safe to repeat where nothing can have happened twice. */
  #mayRetry(error: Error): boolean {
    const { method } = this.#request;
    if (this.#retried || this.#headers.hasBody || (method !== "GET" && method !== "HEAD")) return false;
    const code = systemErrorCode(error);
    return code === "UND_ERR_SOCKET" || code === "ECONNRESET" || code === "EPIPE";
  }

  #dispatch(body: OutgoingRequest["body"]): void {
    const { way, target } = this.#passing;
    // Node's parser takes known methods alone.
    const method = (this.#request.method ?? "GET");
    way.dispatch(isLong(target), { method, path: target, headers: this.#headers.pairs, body }, this);
  }

  #collect(): void {
    const chunks: Buffer[] = [];
    this.#request.on("data", (chunk: Buffer) => chunks.push(chunk));
    this.#request.on("end", () => {
      if (this.#over) return;
      const body = Buffer.concat(chunks);
      this.#passing.entry.passed(body.length);
      this.#dispatch(body);
    });
  }

  /** A redirect to another place of the cluster is one to that place here. */
  #located(pairs: string[]): string[] {
    const { prefix, gateway } = this.#passing;
    for (let index = 0; index + 1 < pairs.length; index += 2) {
      if (pairs[index] !== "location") continue;
      const there = (pairs[index + 1] ?? "").replace(`https://${gateway}`, "");
      if (there.startsWith("/") && !there.startsWith("//")) pairs[index + 1] = prefix + there;
    }
    return pairs;
  }

  readonly #drained = (): void => {
    this.#controller?.resume();
  };

  readonly #closed = (): void => {
    if (this.#over) return;
    this.#finish();
    this.#abort();
  };

  #abort(): void {
    if (this.#controller?.aborted === false) this.#controller.abort(new Error("the client closed the connection"));
  }

  #finish(): void {
    this.#over = true;
    this.#passing.entry.end();
  }
}

/** undici destroys a body with the error that {@link Exchange.onResponseError} gets too. */
const ignore = (): void => undefined;
