/** The SSH transport (RFC 4253, 4252): key exchange, certificates on both sides, and then raw messages in and out. */
export { connectTransport } from "./connect.ts";
export { serveTransport } from "./serve.ts";
export { keyExchanges } from "./algorithms.ts";
export { defaultTransportLimits } from "./limits.ts";
export { disconnectReason } from "./types.ts";
export type {
  AuthAttempt,
  AuthVerdict,
  ConnectOptions,
  Credential,
  HostKey,
  HostProof,
  ServeOptions,
  Transport,
  TransportAlgorithms,
  TransportEnd,
  TransportHandlers,
  TransportLimits,
} from "./types.ts";
