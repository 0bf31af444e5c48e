import { GatehouseError } from "../base/index.ts";
import type { ConnectOptions, Transport } from "./types.ts";

/**
 * Runs the client's side on a fresh connection; resolves once the server has taken a credential. The socket is destroyed on every failure.
 * Rejects with `unauthenticated` (no credential was taken), `limit_exceeded` (time, sizes), `unavailable` (the connection was lost),
 * `bad_parameter` (not SSH, nothing in common, protocol broken), or with what `verifyHost` or `credentials` threw.
 */
export function connectTransport(options: ConnectOptions): Promise<Transport> {
  return Promise.reject(new GatehouseError("not_implemented", `no SSH client yet for ${options.user}`));
}
