/** WebSocket in, SPDY out: a modern kubectl's streams to API servers that are too old for them. */
export { StreamSupport, askVersion } from "./support.ts";
export { isDecision, waysOf } from "./ways.ts";
export type { Settled, Way } from "./ways.ts";
export type { ServerSide } from "./socket.ts";
