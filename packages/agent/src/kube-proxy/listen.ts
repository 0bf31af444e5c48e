import { chmod } from "node:fs/promises";
import type { AddressInfo, Server } from "node:net";
import { GatehouseError, errorMessage, systemErrorCode } from "@gatehouse/core/base";
import { prepareSocketPlace } from "./socket-place.ts";
import type { ListenPlace } from "./types.ts";

const host = "127.0.0.1";
const causes: Readonly<Record<string, string>> = { EADDRINUSE: "another process listens there", EACCES: "this user may not listen there" };

/** Listens where nobody else does, and resolves to `127.0.0.1:port` or the path of the socket. Throws `bad_parameter` where that cannot be, and what {@link prepareSocketPlace} throws. */
export async function listenWhereFree(server: Server, place: ListenPlace): Promise<string> {
  const isSocket = "socket" in place;
  if (isSocket) await prepareSocketPlace(place.socket);
  await new Promise<void>((resolve, reject) => {
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
  if (!isSocket) return `${host}:${(server.address() as AddressInfo).port}`;
  await chmod(place.socket, 0o600);
  return place.socket;
}
