/** The gateway's doors to the network: one front listener that reads ClientHellos, one TLS server per purpose. */
export type * from "./types.ts";
export { createFrontListener } from "./front-listener.ts";
export { Strangers } from "./strangers.ts";
export { createPurposeServer } from "./purpose-server.ts";
export { defaultFrontLimits, defaultServerLimits } from "./defaults.ts";
export { listenOn, peerOf } from "./listen.ts";
