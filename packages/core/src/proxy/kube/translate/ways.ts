import type { IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import { createCommandTranslation, createTunnelTranslation } from "../../../formats/index.ts";
import type { Translation } from "../../../formats/index.ts";
import { answerHeaders } from "../../../relay/index.ts";
import type { Grant } from "../authorize.ts";
import { streamKind } from "../events.ts";
import { queryFlag } from "../path.ts";
import { Refusal } from "../status.ts";
import { acceptOffer, offeredProtocols, readOffer } from "./handshake.ts";
import type { WebSocketOffer } from "./handshake.ts";
import { TranslatedSocket } from "./socket.ts";
import type { ServerSide } from "./socket.ts";
import type { ModernStream } from "./support.ts";

/** What an upgrade came to, in the terms of the client. */
export interface Settled {
  readonly transport: "websocket" | "spdy/3.1";
  /** Subprotocol or stream protocol; `""` for none. */
  readonly protocol: string;
  /** Raw header pairs of the 101 for the client. */
  readonly head: readonly string[];
  /** The API server's side as the client understands it, and what came from it already. */
  join(server: Socket, head: Buffer): { readonly server: ServerSide; readonly head: Buffer };
}

/** One way to ask the API server for what a client wants. */
export interface Way {
  readonly method: string;
  /** Raw pairs, `Connection` and `Upgrade` among them. */
  readonly headers: readonly string[];
  /** What the API server's 101 means; a text says what is wrong with it. */
  settle(answer: IncomingMessage): Settled | string;
  /** The API server refused this way, and took the next. */
  readonly refused: () => void;
  /** The API server took this way. */
  readonly taken: () => void;
}

const modern: Readonly<Record<ModernStream, string>> = { command: "v5.channel.k8s.io", portforward: "SPDY/3.1+portforward.k8s.io" };
const fourth = "v4.channel.k8s.io";
/** What client-go asks for, best first; each in a header of its own, as old servers do not split lists. */
const spdyProtocols: Readonly<Record<ModernStream, readonly string[]>> = {
  command: [fourth, "v3.channel.k8s.io", "v2.channel.k8s.io", "channel.k8s.io"],
  portforward: ["portforward.k8s.io"],
};

/**
 * The ways to ask for an upgrade, the one to begin with first: as the client asks, or, where the API server is too old for a modern kubectl's
 * WebSocket, by SPDY with a translation between. Throws {@link Refusal} for a handshake that the gateway would have to answer itself and cannot.
 */
export function waysOf(grant: Grant): readonly [Way, ...Way[]] {
  const plain = plainWay(grant);
  const kind = streamKind(grant.path);
  if (kind === "other" || grant.incoming.upgrade?.toLowerCase() !== "websocket") return [plain];
  const offered = offeredProtocols(grant.headers);
  const subprotocol = offered.includes(modern[kind]) ? modern[kind] : kind === "command" && offered.includes(fourth) ? fourth : undefined;
  if (subprotocol === undefined) return [plain];
  const offer = readOffer(grant.method, grant.headers);
  // Old API servers speak v4 in WebSockets; where one does not, as where a new one has v5 turned off, it refuses, and SPDY is next.
  if (subprotocol === fourth || grant.upstream.streamSupport.speaks(kind)) {
    if (typeof offer === "string") return [plain];
    const refused = (): void => (subprotocol === fourth ? undefined : grant.upstream.streamSupport.refused(kind));
    return [{ ...plain, refused }, translatedWay(grant, kind, subprotocol, offer)];
  }
  if (typeof offer === "string") throw new Refusal(400, offer);
  return [translatedWay(grant, kind, subprotocol, offer)];
}

/**
 * Whether an API server's refusal is its own decision about the request, which another way would not change. One that does not know the protocol
 * refuses in the words of its HTTP library: with no body, or with plain text. A failure (5xx) is none of that, and the command may have begun to run: to
 * try again is its client's affair, so that both attempts are audited.
 */
export function isDecision(answer: IncomingMessage): boolean {
  const type = answer.headers["content-type"] ?? "";
  return (answer.statusCode ?? 500) >= 500 || answer.statusCode === 401 || answer.statusCode === 429 || /^application\/(?:json|vnd\.kubernetes\.protobuf|yaml|cbor)\b/i.test(type);
}

/** As the client asks. */
function plainWay({ incoming, headers, method }: Grant): Way {
  const all = [...headers, "Connection", "Upgrade", "Upgrade", incoming.upgrade ?? ""];
  if (method === "POST" && incoming.contentLength === undefined) all.push("Content-Length", "0");
  return {
    method,
    headers: all,
    settle(answer) {
      const transport = answer.headers.upgrade?.toLowerCase() ?? "";
      const head = answer.rawHeaders;
      if (transport !== incoming.upgrade?.toLowerCase() || (transport !== "websocket" && transport !== "spdy/3.1")) return notAskedFor(transport);
      const protocol = header(answer, transport === "websocket" ? "sec-websocket-protocol" : "x-stream-protocol-version");
      return { transport, protocol, head, join: (server, first) => ({ server, head: first }) };
    },
    refused: ignore,
    taken: ignore,
  };
}

/** By SPDY, as client-go would ask. */
function translatedWay(grant: Grant, kind: ModernStream, subprotocol: string, offer: WebSocketOffer): Way {
  const headers: string[] = [];
  for (let index = 0; index + 1 < grant.headers.length; index += 2) {
    const name = (grant.headers[index] ?? "").toLowerCase().replaceAll("_", "-");
    if (name.startsWith("sec-websocket-") || name === "x-stream-protocol-version" || name === "content-length") continue;
    headers.push(grant.headers[index] ?? "", grant.headers[index + 1] ?? "");
  }
  for (const protocol of spdyProtocols[kind]) headers.push("X-Stream-Protocol-Version", protocol);
  headers.push("Connection", "Upgrade", "Upgrade", "SPDY/3.1", "Content-Length", "0");
  return {
    method: "POST",
    headers,
    settle(answer) {
      const transport = answer.headers.upgrade?.toLowerCase() ?? "";
      if (transport !== "spdy/3.1") return notAskedFor(transport);
      const protocol = header(answer, "x-stream-protocol-version");
      if (protocol !== "" && !spdyProtocols[kind].includes(protocol)) return notAskedFor(protocol);
      const translation = (): Translation => (kind === "portforward" ? createTunnelTranslation() : createCommandTranslation({ subprotocol, protocol, ...streamsOf(grant.query) }));
      const rest = withoutProtocol(answerHeaders(answer.headersDistinct));
      return {
        transport: "websocket",
        protocol: subprotocol,
        head: [...acceptOffer(offer, subprotocol), ...rest],
        join: (server, first) => ({ server: new TranslatedSocket(server, translation(), first), head: Buffer.alloc(0) }),
      };
    },
    refused: ignore,
    taken: ignore,
  };
}

const ignore = (): void => undefined;

function streamsOf(query: string): { readonly stdin: boolean; readonly stdout: boolean; readonly stderr: boolean; readonly tty: boolean } {
  const flag = (name: string): boolean => queryFlag(query, name);
  return { stdin: flag("stdin"), stdout: flag("stdout"), stderr: flag("stderr"), tty: flag("tty") };
}

function withoutProtocol(pairs: readonly string[]): string[] {
  return pairs.filter((_, index) => !/^(?:x-stream-protocol-version|x-accepted-stream-protocol-versions|content-length|sec-websocket-.*)$/i.test(pairs[index - (index % 2)] ?? ""));
}

function notAskedFor(what: string): string {
  return `switched to ${JSON.stringify(what)}, which was not asked for`;
}

function header(answer: IncomingMessage, name: string): string {
  const value = answer.headers[name];
  return typeof value === "string" ? value : (value?.[0] ?? "");
}
