import type { FrontLimits, ServerLimits } from "./types.ts";

/**
 * Defaults of {@link ServerLimits}. Header size: `kubectl exec` puts whole commands into the query, and one argument on Linux may have
 * 128 KiB. No limit on the time of a request: uploads and watches last. Keep-alive outlasts client-go's 90 s, so that the client is the
 * one that hangs up.
 */
export const defaultServerLimits: ServerLimits = {
  headerSize: 256 * 1024,
  headers: 256,
  headersTimeout: 10_000,
  requestTimeout: 0,
  keepAliveTimeout: 120_000,
  handshakeTimeout: 10_000,
  handshakes: 1024,
  connections: 20_000,
};

/** Defaults of {@link FrontLimits}. */
export const defaultFrontLimits: FrontLimits = { helloSize: 16 * 1024, helloTimeout: 5000, halfOpen: 1024 };
