import type { TransportLimits } from "./types.ts";

/** What holds where the caller names nothing else. */
export const defaultTransportLimits: TransportLimits = {
  handshakeTime: 15_000,
  authTime: 60_000,
  authAttempts: 10,
  highWater: 1024 * 1024,
  maxWaiting: 16 * 1024 * 1024,
  rekeyBytes: 1024 ** 3,
  rekeyTime: 3_600_000,
  rekeysPerMinute: 30,
  unansweredBytes: 256 * 1024 * 1024,
};
