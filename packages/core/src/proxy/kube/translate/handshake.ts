import { createHash } from "node:crypto";

/** A WebSocket that a client asks for (RFC 6455 §4.2.1). */
export interface WebSocketOffer {
  readonly key: string;
  /** In the client's order; a bearer token among them was taken out before. */
  readonly subprotocols: readonly string[];
}

/** Subprotocols that raw header pairs offer. */
export function offeredProtocols(headers: readonly string[]): string[] {
  return valuesOf(headers, "sec-websocket-protocol").flatMap((value) => value.split(",").map((one) => one.trim()).filter((one) => one !== ""));
}

/** Reads the handshake of a client's raw header pairs; a text says what is wrong with it. */
export function readOffer(method: string, headers: readonly string[]): WebSocketOffer | string {
  const [key, ...otherKeys] = valuesOf(headers, "sec-websocket-key");
  const [version, ...otherVersions] = valuesOf(headers, "sec-websocket-version");
  if (method !== "GET") return "a WebSocket is asked for with GET";
  if (version !== "13" || otherVersions.length > 0) return "the gateway speaks version 13 of WebSocket alone";
  // 16 bytes in base64.
  if (key === undefined || otherKeys.length > 0 || !/^[A-Za-z0-9+/]{21}[AQgw]==$/.test(key)) return "Sec-WebSocket-Key is not one key of 16 bytes";
  return { key, subprotocols: offeredProtocols(headers) };
}

/** Raw header pairs of the 101 that takes the offer. */
export function acceptOffer({ key }: WebSocketOffer, subprotocol: string): string[] {
  const accept = createHash("sha1").update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest("base64");
  return ["Upgrade", "websocket", "Connection", "Upgrade", "Sec-WebSocket-Accept", accept, "Sec-WebSocket-Protocol", subprotocol];
}

function valuesOf(pairs: readonly string[], name: string): string[] {
  const values: string[] = [];
  for (let index = 0; index + 1 < pairs.length; index += 2) if (pairs[index]?.toLowerCase() === name) values.push((pairs[index + 1] ?? "").trim());
  return values;
}
