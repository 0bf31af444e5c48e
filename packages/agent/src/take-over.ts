import { once } from "node:events";
import { chmod, lstat, rename, unlink } from "node:fs/promises";
import type { Server } from "node:net";
import { dirname, join } from "node:path";
import { GatehouseError, randomHex, systemErrorCode, type Random } from "@gatehouse/core/base";
import { ensurePrivateDirectory } from "@gatehouse/core/client/lean";
import { checkAgentDirectory, checkAgentSocket } from "@gatehouse/core/client/local-agent";
import { maxSocketPath } from "@gatehouse/core/client/ssh";

/** Connections that wait to be taken: a Unix socket turns those beyond away at once. */
const backlog = 1024;

/** A path that a server listens at. */
export interface OwnedPath {
  /** Removes the path, unless it is another's by now. */
  release(): Promise<void>;
}

async function inode(path: string): Promise<number | undefined> {
  try {
    return (await lstat(path)).ino;
  } catch (error) {
    if (systemErrorCode(error) === "ENOENT") return undefined;
    throw error;
  }
}

/**
 * Listens at a path in a directory that is this user's alone, in place of whoever was there before: at no moment there is nothing. Throws `access_denied` where
 * the directory, or what is at the path, is not this user's alone; `internal` where it cannot be bound.
 */
export async function takeOverPath(server: Server, path: string, random: Random): Promise<OwnedPath> {
  if (process.platform === "win32") {
    server.listen({ path, backlog });
    await once(server, "listening");
    return { release: async () => Promise.resolve() };
  }
  const directory = dirname(path);
  if (!(await checkAgentDirectory(directory))) await ensurePrivateDirectory(directory);
  await checkAgentSocket(directory, path);
  const draft = join(directory, `.${randomHex(random, 4)}`);
  if (Buffer.byteLength(path) > maxSocketPath || Buffer.byteLength(draft) > maxSocketPath) {
    throw new GatehouseError("internal", `the path of the agent's socket is longer than a socket's may be, ${maxSocketPath} bytes: ${path}`, { hint: "set XDG_RUNTIME_DIR or TELEPORT_HOME to a shorter one" });
  }
  server.listen({ path: draft, backlog });
  await once(server, "listening");
  await chmod(draft, 0o600);
  const own = await inode(draft);
  await rename(draft, path);
  return {
    async release() {
      if ((await inode(path)) === own) await unlink(path);
    },
  };
}
