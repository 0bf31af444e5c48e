import type { Socket } from "node:net";
import type { RequestOrigin } from "../../auth/index.ts";

function hostPort(address: string | undefined, port: number | undefined): string | undefined {
  if (address === undefined || port === undefined) return undefined;
  return address.includes(":") ? `[${address}]:${String(port)}` : `${address}:${String(port)}`;
}

/** Both ends of a request's connection, for the audit log. */
export function originOf(socket: Socket): RequestOrigin {
  return {
    remoteAddress: hostPort(socket.remoteAddress, socket.remotePort) ?? "local",
    localAddress: hostPort(socket.localAddress, socket.localPort),
  };
}
