import { createReadStream } from "node:fs";
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import type { LogSource } from "@gatehouse/core/audit/verify";
import { GatehouseError, systemErrorCode } from "@gatehouse/core/base";

const logName = /^\d{4}-\d{2}-\d{2}\.00:00:00\.log$/;
const piece = 1024 * 1024;

const stream = (path: string): AsyncIterable<Uint8Array> => createReadStream(path, { highWaterMark: piece });

async function isFile(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isFile();
  } catch (error) {
    if (systemErrorCode(error) === "ENOENT") return false;
    throw error;
  }
}

async function openServer(directory: string, server: string): Promise<LogSource | undefined> {
  const names = (await readdir(join(directory, server))).filter((name) => logName.test(name)).sort();
  if (names.length === 0) return undefined;
  const files = names.map(async (name) => {
    const path = join(directory, server, name);
    return { name, size: (await stat(path)).size, read: () => stream(path) };
  });
  return {
    server,
    files: await Promise.all(files),
    recording: async (name) => ((await isFile(join(directory, name))) ? stream(join(directory, name)) : undefined),
  };
}

/** The logs of a gateway's log directory, one a server. Throws `not_found` where there is none. */
export async function openLogs(directory: string): Promise<readonly LogSource[]> {
  try {
    const entries = await readdir(directory, { withFileTypes: true });
    const folders = entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
    const logs = await Promise.all(folders.sort().map((name) => openServer(directory, name)));
    const found = logs.filter((log) => log !== undefined);
    if (found.length > 0) return found;
    throw new GatehouseError("not_found", `there is no audit log in ${directory}`, { hint: "name the gateway's --data-dir, or the log's own folder with --log-dir" });
  } catch (error) {
    if (systemErrorCode(error) === "ENOENT") throw new GatehouseError("not_found", `${directory} does not exist`, { hint: "name the gateway's --data-dir, or the log's own folder with --log-dir", cause: error });
    if (systemErrorCode(error) === "EACCES") throw new GatehouseError("access_denied", `${directory} is not yours to read`, { hint: "run tctl as the user that runs the gateway, or on a copy", cause: error });
    throw error;
  }
}

/** A file with what a witness has. Throws `not_found`. */
export async function openWitness(path: string): Promise<{ readonly name: string; read(): AsyncIterable<Uint8Array> }> {
  if (!(await isFile(path))) throw new GatehouseError("not_found", `the witness's file ${path} does not exist`);
  return { name: path, read: () => stream(path) };
}
