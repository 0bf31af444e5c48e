import { constants, createReadStream } from "node:fs";
import { lstat, open, readdir, realpath, stat } from "node:fs/promises";
import { join } from "node:path";
import type { LogSource, LogSourceFile } from "@gatehouse/core/audit/verify";
import { GatehouseError, systemErrorCode } from "@gatehouse/core/base";

const logName = /^\d{4}-\d{2}-\d{2}\.00:00:00\.log$/;
const piece = 1024 * 1024;

/** The bytes of a file that is no link, pipe or device; undefined where there is none by now. */
async function openFile(path: string): Promise<AsyncIterable<Uint8Array> | undefined> {
  let file;
  try {
    // Opening a pipe would wait for its writer.
    file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    if (["ENOENT", "ENOTDIR", "ELOOP", "ENXIO", "ENODEV"].includes(systemErrorCode(error) ?? "")) return undefined;
    throw error;
  }
  if ((await file.stat()).isFile()) return file.createReadStream({ highWaterMark: piece });
  await file.close();
  return undefined;
}

/** What was pruned since its name was read has no lines. */
async function* readFile(path: string): AsyncGenerator<Uint8Array, void, void> {
  const stream = await openFile(path);
  if (stream) yield* stream;
}

/** Whether a folder is where its name says, and no link is on the way. */
async function isOwn(directory: string, ...below: readonly string[]): Promise<boolean> {
  try {
    return (await realpath(join(directory, ...below))) === join(await realpath(directory), ...below);
  } catch (error) {
    if (["ENOENT", "ENOTDIR", "ELOOP"].includes(systemErrorCode(error) ?? "")) return false;
    throw error;
  }
}

async function namesIn(folder: string): Promise<readonly string[]> {
  return readdir(folder).catch((error: unknown) => {
    if (["ENOENT", "ENOTDIR"].includes(systemErrorCode(error) ?? "")) return [];
    throw error;
  });
}

async function openServer(directory: string, server: string): Promise<LogSource | undefined> {
  const below = [server, "sessions", "default"];
  const recordings = (await isOwn(directory, ...below)) ? (await namesIn(join(directory, ...below))).map((name) => [...below, name].join("/")) : [];
  const names = (await namesIn(join(directory, server))).filter((name) => logName.test(name)).sort();
  if (names.length === 0 && recordings.length === 0) return undefined;
  const files: LogSourceFile[] = [];
  const problems: { file: string; text: string }[] = [];
  for (const file of names) {
    const path = join(directory, server, file);
    const found = await lstat(path).catch((error: unknown) => {
      if (systemErrorCode(error) === "ENOENT") return undefined;
      throw error;
    });
    if (found?.isFile() === true) files.push({ name: file, size: found.size, read: () => readFile(path) });
    else if (found) problems.push({ file, text: "this is no regular file, and is not read" });
  }
  return {
    server,
    files,
    recordings,
    problems,
    recording: async (name) => {
      const [folder = "", ...rest] = name.split("/");
      return (await isOwn(directory, folder, ...rest.slice(0, -1))) ? await openFile(join(directory, name)) : undefined;
    },
  };
}

/** The logs of a gateway's log directory, one a server. Throws `not_found` where there is none. */
export async function openLogs(directory: string): Promise<readonly LogSource[]> {
  try {
    const found: LogSource[] = [];
    for (const entry of (await readdir(directory, { withFileTypes: true })).sort((a, b) => (a.name < b.name ? -1 : 1))) {
      const log = entry.isDirectory() ? await openServer(directory, entry.name) : undefined;
      if (log) found.push(log);
      // The link to the newest day is the gateway's own.
      else if (entry.isSymbolicLink() && entry.name !== "events.log") found.push(linked(entry.name));
    }
    if (found.some(({ files }) => files.length > 0)) return found;
    throw new GatehouseError("not_found", `there is no audit log in ${directory}`, { hint: "name the gateway's --data-dir, or the log's own folder with --log-dir" });
  } catch (error) {
    if (systemErrorCode(error) === "ENOENT") throw new GatehouseError("not_found", `${directory} does not exist`, { hint: "name the gateway's --data-dir, or the log's own folder with --log-dir", cause: error });
    if (systemErrorCode(error) === "EACCES") throw new GatehouseError("access_denied", `${directory} is not yours to read`, { hint: "run tctl as the user that runs the gateway, or on a copy", cause: error });
    throw error;
  }
}

function linked(server: string): LogSource {
  return { server, files: [], problems: [{ file: server, text: "this is a link and no gateway's folder, and is not read" }], recording: () => Promise.resolve(undefined) };
}

/** A file with what a witness has. Throws `not_found`. */
export async function openWitness(path: string): Promise<{ readonly name: string; read(): AsyncIterable<Uint8Array> }> {
  // The path is the auditor's own; a link there is theirs too.
  const found = await stat(path).catch((error: unknown) => {
    if (systemErrorCode(error) === "ENOENT") return undefined;
    throw error;
  });
  if (found?.isFile() !== true) throw new GatehouseError("not_found", `the witness's file ${path} does not exist`);
  return { name: path, read: () => createReadStream(path, { highWaterMark: piece }) };
}
