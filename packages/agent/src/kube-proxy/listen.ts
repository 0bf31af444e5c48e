import type { AddressInfo, Server } from "node:net";
import { GatehouseError, errorMessage, systemErrorCode } from "@gatehouse/core/base";
import { listenInPlace } from "./socket-place.ts";
import type { ListenPlace } from "./types.ts";

const host = "127.0.0.1";
const causes: Readonly<Record<string, string>> = { EADDRINUSE: "another process listens there", EACCES: "this user may not listen there" };

function listen(server: Server, place: ListenPlace): Promise<void> {
  const isSocket = "socket" in place;
  return new Promise<void>((resolve, reject) => {
    const failed = (error: Error): void => {
      const where = isSocket ? place.socket : `${host}:${place.port}`;
      const hint = isSocket ? "choose another path" : "choose another --port, or none for a free one";
      reject(new GatehouseError("bad_parameter", `cannot listen on ${where}: ${causes[systemErrorCode(error) ?? ""] ?? errorMessage(error)}`, { hint, cause: error }));
    };
    server.once("error", failed);
    server.listen({ backlog: 1024, ...(isSocket ? { path: place.socket } : { host, port: place.port }) }, () => {
      server.off("error", failed);
      resolve();
    });
  });
}

/** Listens where nobody else does, and resolves to `127.0.0.1:port` or the path of the socket. Throws `bad_parameter` where that cannot be, and what {@link listenInPlace} throws. */
export async function listenWhereFree(server: Server, place: ListenPlace): Promise<string> {
  if ("socket" in place) {
    await listenInPlace(place.socket, () => listen(server, place));
    return place.socket;
  }
  await listen(server, place);
  return `${host}:${(server.address() as AddressInfo).port}`;
}
