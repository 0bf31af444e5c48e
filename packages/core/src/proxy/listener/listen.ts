import type { AddressInfo, Server } from "node:net";
import { GatehouseError, errorMessage, systemErrorCode } from "../../base/index.ts";
import type { ListenAddress } from "./types.ts";

const causes: Readonly<Record<string, { readonly why: string; readonly hint: string }>> = {
  EADDRINUSE: { why: "another process listens there", hint: "stop it, or choose another address or port (0 for any)" },
  EACCES: { why: "this user may not listen on that port", hint: "choose a port of 1024 or above" },
  EADDRNOTAVAIL: { why: "this machine has no such address", hint: "choose an address of this machine, or 0.0.0.0" },
  ENOTFOUND: { why: "the host name is unknown", hint: "choose an address of this machine, or 0.0.0.0" },
};

/** Listens, and resolves to the actual address. Throws `unavailable`, naming listener, address and cause. */
export async function listenOn(server: Server, name: string, address: ListenAddress): Promise<AddressInfo> {
  const where = `${address.host.includes(":") ? `[${address.host}]` : address.host}:${String(address.port)}`;
  await new Promise<void>((resolve, reject) => {
    const failed = (error: Error): void => {
      const cause = causes[systemErrorCode(error) ?? ""];
      reject(new GatehouseError("unavailable", `${name} cannot listen on ${where}: ${cause?.why ?? errorMessage(error)}`, { hint: cause?.hint, cause: error }));
    };
    server.once("error", failed);
    server.listen({ host: address.host, port: address.port, backlog: 1024 }, () => {
      server.off("error", failed);
      resolve();
    });
  });
  const actual = server.address();
  if (actual === null || typeof actual === "string") throw new GatehouseError("internal", `${name} listens on ${where} without a port`);
  return actual;
}

/** `ip:port` of a peer. */
export function peerOf(socket: { readonly remoteAddress?: string | undefined; readonly remotePort?: number | undefined }): string {
  const ip = socket.remoteAddress ?? "unknown";
  return `${ip.includes(":") ? `[${ip}]` : ip}:${String(socket.remotePort ?? 0)}`;
}
