import type { ClientRequest, IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import { systemErrorCode } from "../../base/index.ts";
import { createSpdyTap, createWebSocketTap } from "../../formats/index.ts";
import type { StreamTap } from "../../formats/index.ts";
import { rawHead, sendFailureRaw, unaudited } from "./answer.ts";
import type { Grant } from "./authorize.ts";
import { disconnectEvent, streamKind, upgradeEvent } from "./events.ts";
import type { Shared } from "./gateway.ts";
import { answerHeaders } from "./headers.ts";
import { isNodeProxy } from "./path.ts";
import type { Live } from "./registry.ts";
import { Refusal, failure } from "./status.ts";
import type { Failure } from "./status.ts";
import { StreamPair } from "./stream.ts";

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
  readonly #asked: ClientRequest;
  readonly #deadline: number;
  #answered = false;
  #over = false;

  constructor(shared: Shared, grant: Grant, client: TLSSocket, head: Buffer) {
    this.#shared = shared;
    this.grant = grant;
    this.#client = client;
    this.#head = head;
    this.lastActive = shared.clock.now();
    const { upstream, method, pathname, query, headers, incoming } = grant;
    this.#deadline = this.lastActive + upstream.limits.upgradeTimeout;
    const all = [...headers, "Connection", "Upgrade", "Upgrade", incoming.upgrade ?? ""];
    if (method === "POST" && incoming.contentLength === undefined) all.push("Content-Length", "0");
    this.#asked = upstream.upgrade(method, query === "" ? pathname : `${pathname}?${query}`, all);
  }

  /** Asks the API server. */
  start(): void {
    this.grant.upstream.streams += 1;
    this.#shared.registry.add(this);
    this.#client.on("close", this.#clientClosed);
    this.#asked.on("upgrade", (answer, server, head) => this.#upgraded(answer, server, head));
    this.#asked.on("response", (answer) => this.#refused(answer));
    this.#asked.on("error", (error) => this.#failed(error));
    this.#asked.end();
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

  #upgraded(answer: IncomingMessage, server: Socket, head: Buffer): void {
    // Node took its own listener off; between here and the pair a reset must not end the process.
    server.on("error", ignore);
    const { grant } = this;
    const tap = tapOf(grant, answer);
    if (typeof tap === "string") {
      server.destroy();
      this.#fail(failure(502, `the API server of Kubernetes cluster "${grant.connection.clusterName}" ${tap}`));
      return;
    }
    this.#shared.recorder.write(upgradeEvent(grant, 101, protocolOf(answer)), (written) => {
      if (!this.#over && written && !this.#client.destroyed && !server.destroyed) {
        this.#join(answer.rawHeaders, server, head, tap);
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

  #join(rawHeaders: readonly string[], server: Socket, head: Buffer, tap: StreamTap): void {
    const { grant } = this;
    const client = this.#client;
    this.#finish();
    client.off("close", this.#clientClosed);
    client.setNoDelay(true);
    server.setNoDelay(true);
    client.write(rawHead(101, "Switching Protocols", rawHeaders), "latin1");
    // What was needed to decide the request is not kept for as long as the stream lasts.
    const kept: Grant = { ...grant, headers: [], incoming: { ...grant.incoming, passed: [], impersonation: [] } };
    new StreamPair(this.#shared, kept, client, server, tap).start(this.#head, head);
  }

  /** The API server's own answer, as it is: what kubectl prints is Kubernetes' message. */
  #refused(answer: IncomingMessage): void {
    const status = answer.statusCode ?? 502;
    if (status === 401) this.grant.upstream.refreshCredentials();
    answer.on("error", ignore);
    this.#shared.recorder.write(upgradeEvent(this.grant, status, "", `the API server answered ${String(status)}`), (written) => {
      if (this.#over) return;
      this.#answered = true;
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
    this.#shared.recorder.write(upgradeEvent(this.grant, why.code, "", why.message), (written) => {
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
  }
}

const ignore = (): void => undefined;

/** What the 101 negotiated decides how the stream is watched; a text says what is wrong with it. */
function tapOf(grant: Grant, answer: IncomingMessage): StreamTap | string {
  const negotiated = answer.headers.upgrade?.toLowerCase() ?? "";
  if (negotiated !== grant.incoming.upgrade?.toLowerCase()) return `switched to ${JSON.stringify(negotiated)}, which was not asked for`;
  if (negotiated === "websocket") return createWebSocketTap({ subprotocol: protocolOf(answer), purpose: streamKind(grant.path) });
  return createSpdyTap({ protocol: protocolOf(answer) });
}

function protocolOf(answer: IncomingMessage): string {
  const name = answer.headers.upgrade?.toLowerCase() === "websocket" ? "sec-websocket-protocol" : "x-stream-protocol-version";
  const value = answer.headers[name];
  return typeof value === "string" ? value : (value?.[0] ?? "");
}
