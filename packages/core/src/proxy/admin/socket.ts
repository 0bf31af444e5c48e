import { chmod, lstat, rename, unlink, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { join } from "node:path";
import { once } from "node:events";
import { GatehouseError, errorMessage, randomHex, systemErrorCode, type Random } from "../../base/index.ts";
import type { HttpHandler } from "../http/index.ts";

/** The local administrator's way in. */
export interface AdminSocket {
  readonly path: string;
  close(): Promise<void>;
}

/** `sun_path` holds 108 bytes, one of them the end. */
const maxSocketPath = 107;

/** Writes this start's nonce beside the socket, readable by its owner alone, and returns it. */
export async function writeNonce(dataDir: string, random: Random): Promise<string> {
  const nonce = randomHex(random, 32);
  const path = join(dataDir, "admin.nonce");
  const fresh = `${path}.${randomHex(random, 4)}`;
  await writeFile(fresh, `${nonce}\n`, { mode: 0o600, flag: "wx" });
  await rename(fresh, path);
  return nonce;
}

async function removeStale(path: string): Promise<void> {
  try {
    const found = await lstat(path);
    if (!found.isSocket()) throw new GatehouseError("unavailable", `${path} is in the way: it is not a socket`, { hint: "move it away" });
    await unlink(path);
  } catch (error) {
    if (systemErrorCode(error) !== "ENOENT") throw error;
  }
}

/**
 * Listens on `<dataDir>/admin.sock`, mode 0600 in a directory that is 0700 already. The caller holds the data directory's lock, so a
 * socket found there is a dead gateway's. Throws `unavailable` where it cannot.
 */
export async function openAdminSocket(dataDir: string, handler: HttpHandler): Promise<AdminSocket> {
  const path = join(dataDir, "admin.sock");
  if (Buffer.byteLength(path) > maxSocketPath) {
    throw new GatehouseError("bad_parameter", `the admin socket cannot be at ${path}: a socket's path has at most ${String(maxSocketPath)} bytes`, {
      hint: "choose a shorter data directory",
    });
  }
  await removeStale(path);
  const server = createServer({ headersTimeout: 10_000, requestTimeout: 30_000, keepAliveTimeout: 5000 }, handler);
  server.maxConnections = 64;
  try {
    server.listen({ path });
    await once(server, "listening");
    await chmod(path, 0o600);
  } catch (error) {
    server.close();
    throw new GatehouseError("unavailable", `cannot listen on the admin socket ${path}: ${errorMessage(error)}`, { cause: error });
  }
  return {
    path,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeIdleConnections();
        setTimeout(() => server.closeAllConnections(), 2000).unref();
      }),
  };
}
