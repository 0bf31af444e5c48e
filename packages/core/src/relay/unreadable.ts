import { STATUS_CODES } from "node:http";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { systemErrorCode } from "../base/index.ts";
import { lingerTime } from "./answer.ts";

/** The body of an answer that no request handler gives. */
export interface ErrorAnswer {
  readonly contentType: string;
  readonly body: string;
}

const statuses: Readonly<Record<string, Unacceptable>> = {
  ERR_HTTP_REQUEST_TIMEOUT: [408, "the request took too long to arrive"],
  HPE_HEADER_OVERFLOW: [431, "the request line and headers are too large"],
  HPE_CHUNK_EXTENSIONS_OVERFLOW: [413, "the chunk extensions are too large"],
};

/** A status and its cause. */
export type Unacceptable = readonly [status: number, message: string];

/**
 * What no request handler is shown although Node parsed it: HTTP of another version, no Host, more headers than anyone needs (a later hop
 * may silently drop the surplus, and with it those that the gateway adds).
 */
export function unacceptable(request: IncomingMessage, maxHeaders: number): Unacceptable | undefined {
  const { httpVersion, headers, rawHeaders } = request;
  if (httpVersion !== "1.1" && httpVersion !== "1.0") return [400, "the request is not HTTP/1.1"];
  if (headers.host === undefined && httpVersion === "1.1") return [400, "the request has no Host header"];
  if (rawHeaders.length > 2 * maxHeaders) return [431, `the request has more than ${String(maxHeaders)} headers`];
  return undefined;
}

type Render = ((status: number, message: string) => ErrorAnswer) | undefined;

/** Answers a request that Node could not parse, and closes the connection. */
export function answerUnreadable(error: Error, socket: Socket, render: Render): void {
  // An answer under way must not get a second one into its middle. Node's own handling looks at the same property.
  const underWay: unknown = Reflect.get(socket, "_httpMessage");
  if (!socket.writable || systemErrorCode(error) === "ECONNRESET" || (underWay !== undefined && underWay !== null)) {
    socket.destroy();
    return;
  }
  answerRaw(socket, statuses[systemErrorCode(error) ?? ""] ?? [400, "the request is not valid HTTP/1.1"], render);
}

/** Answers an {@link unacceptable} request in its turn, and closes the connection. */
export function answerUnacceptable(response: ServerResponse, [status, message]: Unacceptable, render: Render): void {
  const { contentType, body } = rendered(status, message, render);
  response.writeHead(status, ["content-type", contentType, "content-length", String(Buffer.byteLength(body)), "cache-control", "no-store", "connection", "close"]);
  response.end(body);
}

/** Answers on the bare socket, and closes the connection. */
export function answerRaw(socket: Socket, [status, message]: Unacceptable, render: Render): void {
  const { contentType, body } = rendered(status, message, render);
  const length = Buffer.byteLength(body);
  socket.on("error", () => socket.destroy());
  socket.end(
    `HTTP/1.1 ${String(status)} ${STATUS_CODES[status] ?? ""}\r\ncontent-type: ${contentType}\r\ncontent-length: ${String(length)}\r\n` +
      `cache-control: no-store\r\nconnection: close\r\n\r\n${body}`,
  );
  socket.resume();
  setTimeout(() => socket.destroy(), lingerTime).unref();
}

function rendered(status: number, message: string, render: Render): ErrorAnswer {
  return render?.(status, message) ?? { contentType: "text/plain; charset=utf-8", body: `${message}\n` };
}
