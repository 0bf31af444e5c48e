import { lstat } from "node:fs/promises";
import { request as httpRequest, type IncomingMessage } from "node:http";
import { join } from "node:path";
import type { Transport } from "@gatehouse/core/api";
import { GatehouseError, errorMessage, limits, readAll, systemErrorCode } from "@gatehouse/core/base";
import { answerPieces, readFileLimited } from "@gatehouse/core/client";

const timeout = 30_000;
const maxNonce = 256;

/** Refuses what somebody else could have put there: another owner than root or this user, or others' right to use it. */
async function check(path: string, type: "directory" | "socket" | "file"): Promise<void> {
  const found = await lstat(path).catch((error: unknown) => {
    const code = systemErrorCode(error);
    if (code === "ENOENT") throw new GatehouseError("unavailable", `no gateway runs here: there is no ${path}`, { hint: "start it with: tsh proxy, or name its --data-dir" });
    if (code === "EACCES") throw new GatehouseError("access_denied", `${path} is not yours to use`, { hint: "run tctl as the user that runs the gateway, or log in: tsh login" });
    throw error;
  });
  const is = type === "directory" ? found.isDirectory() : type === "socket" ? found.isSocket() : found.isFile();
  if (!is) throw new GatehouseError("access_denied", `${path} is not a ${type}: it is not used`);
  if (process.platform === "win32") return;
  const me = process.getuid?.();
  if (found.uid !== me && found.uid !== 0) throw new GatehouseError("access_denied", `${path} belongs to another user (uid ${found.uid}): it is not used`, { hint: "run tctl as the user that runs the gateway" });
  if ((found.mode & 0o077) !== 0) {
    throw new GatehouseError("access_denied", `${path} is open to others (mode 0${(found.mode & 0o777).toString(8)}): it is not used`, { hint: `find out why, then: chmod go= ${path}` });
  }
}

/**
 * A transport over the admin socket of the gateway whose data directory this is. Owner, mode and type of directory, socket and nonce file are
 * checked first. Throws `unavailable` where no gateway listens, `access_denied` for files that somebody else could have made.
 */
export async function connectSocket(dataDir: string): Promise<Transport> {
  const socketPath = join(dataDir, "admin.sock");
  const noncePath = join(dataDir, "admin.nonce");
  await check(dataDir, "directory");
  await check(socketPath, "socket");
  await check(noncePath, "file");
  const nonce = (await readFileLimited(noncePath, { limit: maxNonce }))?.trim() ?? "";

  function send(method: string, path: string, text: string | undefined, signal: AbortSignal): Promise<IncomingMessage> {
    return new Promise((resolve, reject) => {
      const sent = httpRequest(
        {
          socketPath,
          method,
          path,
          agent: false,
          signal,
          headers: {
            host: "localhost",
            authorization: `Bearer ${nonce}`,
            ...(text === undefined ? {} : { "content-type": "application/json", "content-length": Buffer.byteLength(text) }),
          },
        },
        resolve,
      );
      sent.once("error", reject);
      sent.end(text);
    });
  }

  function failure(error: unknown): GatehouseError {
    if (error instanceof GatehouseError) return error;
    const code = systemErrorCode(error);
    const dead = code === "ECONNREFUSED" || code === "ENOENT";
    return new GatehouseError("unavailable", dead ? `no gateway listens on ${socketPath}` : `the gateway did not answer on ${socketPath}: ${errorMessage(error)}`, {
      hint: dead ? "start it with: tsh proxy" : "look at the gateway's log",
      cause: error,
    });
  }

  async function* pieces(response: IncomingMessage, idle: number | undefined): AsyncGenerator<Uint8Array, void, void> {
    try {
      yield* answerPieces(response, `on ${socketPath}`, idle);
    } catch (error) {
      throw failure(error);
    }
  }

  return {
    async request({ method, path, body }) {
      try {
        const response = await send(method, path, body === undefined ? undefined : JSON.stringify(body), AbortSignal.timeout(timeout));
        const answer = await readAll(response, limits.apiBody, "the gateway's answer");
        return { status: response.statusCode ?? 0, body: answer.toString("utf8") };
      } catch (error) {
        throw failure(error);
      }
    },
    async stream({ method, path, idle }) {
      const stop = new AbortController();
      const timer = setTimeout(() => stop.abort(), timeout);
      try {
        const response = await send(method, path, undefined, stop.signal);
        return { status: response.statusCode ?? 0, body: pieces(response, idle), close: () => response.destroy() };
      } catch (error) {
        throw failure(error);
      } finally {
        clearTimeout(timer);
      }
    },
  };
}
