import type { FastifyRequest, preHandlerAsyncHookHandler } from "fastify";
import { GatehouseError, addressKey, formatDuration, type RateLimiter } from "../../base/index.ts";

/** Refuses a caller who comes too often, in v3's words and with its header (reference §1.4). `keyOf` says whom a request counts for: its address where absent. */
export function limited(limiter: RateLimiter, keyOf: (request: FastifyRequest) => string = ({ ip }) => addressKey(ip)): preHandlerAsyncHookHandler {
  return async (request, reply) => {
    const wait = limiter.take(keyOf(request));
    if (wait === 0) return;
    const seconds = Math.ceil(wait / 1000);
    reply.header("x-retry-in", formatDuration(seconds * 1000)).header("retry-after", String(seconds));
    throw new GatehouseError("limit_exceeded", `max rate reached: retry-in ${formatDuration(seconds * 1000)}`);
  };
}
