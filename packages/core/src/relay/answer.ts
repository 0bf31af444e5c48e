import { STATUS_CODES } from "node:http";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { statusText, type StreamEnd } from "../formats/index.ts";

/**
 * Whether the request is client-go's aggregated discovery, the first that a fresh kubectl sends. It does not decode a `Status` there and says
 * "unknown" instead; plain text it repeats.
 */
function isDiscovery({ method, url = "", headers }: IncomingMessage): boolean {
  return method === "GET" && /^\/apis?(?:\?|$)/.test(url) && (headers.accept ?? "").includes("apidiscovery.k8s.io");
}

/** Answers with a Kubernetes `Status`. Does nothing where an answer is already under way or the client is gone. `retry`: whether clients are to try again by themselves. */
export function sendFailure(response: ServerResponse, why: StreamEnd, retry = why.code === 429 || why.code === 503): void {
  if (response.headersSent || response.destroyed) return;
  const plain = isDiscovery(response.req);
  const body = plain ? `${why.message}\n` : statusText(why);
  response.writeHead(why.code, [
    "content-type",
    plain ? "text/plain; charset=utf-8" : "application/json",
    "content-length",
    String(Buffer.byteLength(body)),
    "cache-control",
    "no-store",
    // What is left of the body is not worth reading; and nobody comes twice without showing a new certificate.
    ...(response.req.complete && why.code !== 401 ? [] : ["connection", "close"]),
    ...(retry ? ["retry-after", "1"] : []),
  ]);
  response.end(body);
}

/** {@link sendFailure} on a bare socket, which it ends. */
export function sendFailureRaw(socket: Socket, why: StreamEnd): void {
  const body = statusText(why);
  const head = rawHead(why.code, STATUS_CODES[why.code] ?? "", ["content-type", "application/json", "content-length", String(Buffer.byteLength(body)), "cache-control", "no-store", "connection", "close"]);
  socket.end(head + body);
  // The other half: a client that keeps sending is not listened to, one that never hangs up is cut.
  socket.resume();
  setTimeout(() => socket.destroy(), lingerTime).unref();
}

/** How long a client may take to read a last word before its connection is cut, ms. */
export const lingerTime = 500;

/** Status line and headers of an answer; `pairs` were parsed from HTTP or are ours, and so have no line breaks. */
export function rawHead(status: number, message: string, pairs: readonly string[]): string {
  let head = `HTTP/1.1 ${String(status)} ${message}\r\n`;
  for (let index = 0; index + 1 < pairs.length; index += 2) head += `${pairs[index] ?? ""}: ${pairs[index + 1] ?? ""}\r\n`;
  return `${head}\r\n`;
}
