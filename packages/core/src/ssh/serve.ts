import { GatehouseError } from "../base/index.ts";
import type { ServeOptions, Transport } from "./types.ts";

/**
 * Runs the server's side on a fresh connection; resolves once the user is authenticated. The socket is destroyed on every failure.
 * Rejects with `unauthenticated` (no attempt was accepted), `limit_exceeded` (time, attempts, sizes), `unavailable` (the connection was lost),
 * `bad_parameter` (not SSH, nothing in common, protocol broken), or with what `authenticate` threw.
 */
export function serveTransport(options: ServeOptions): Promise<Transport> {
  return Promise.reject(new GatehouseError("not_implemented", `no SSH server yet for ${options.hostKeys.length} host keys`));
}
