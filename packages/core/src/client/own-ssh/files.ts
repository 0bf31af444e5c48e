import type { Stats as LocalStats } from "node:fs";
import { chmod, mkdir, opendir, stat, utimes } from "node:fs/promises";
import { basename, join, posix } from "node:path";
import type { SFTPWrapper, Stats } from "ssh2";
import { GatehouseError, errorMessage, escapeLine, fileProblem, systemErrorCode } from "../../base/index.ts";
import type { OwnConnection } from "./connect.ts";

/** How files are copied. */
export interface CopyOptions {
  readonly recursive: boolean;
  /** Keep times and modes. */
  readonly preserve: boolean;
  /** Told of each file and how far it is, bytes. */
  readonly progress?: ((file: string, done: number, total: number) => void) | undefined;
}

/** One entry of a folder on a host. */
export interface HostEntry {
  readonly name: string;
  readonly stats: Stats;
  /** As `ls -l` shows it. */
  readonly line: string;
}

/** Files of a host, by SFTP. Paths are the host's; a relative one is in the account's home. */
export interface HostFiles {
  /** Copies a file or folder here to the host; into `target` where that is a folder. */
  put(source: string, target: string, options: CopyOptions): Promise<void>;
  /** Copies a file or folder of the host here; into `target` where that is a folder. */
  get(source: string, target: string, options: CopyOptions): Promise<void>;
  /** Undefined where there is none. */
  stat(path: string): Promise<Stats | undefined>;
  list(path: string): Promise<readonly HostEntry[]>;
  resolve(path: string): Promise<string>;
  makeFolder(path: string): Promise<void>;
  remove(path: string): Promise<void>;
  removeFolder(path: string): Promise<void>;
  rename(from: string, to: string): Promise<void>;
}

/** Requests under way, and bytes of each: 4 MiB, which is 40 MB/s over 100 ms. */
const transfer = { concurrency: 128, chunkSize: 32 * 1024 };
const noSuchFile = 2;
const permissions = 0o7777;
const maxDepth = 64;

type Done<T> = (error: Error | null | undefined, value: T) => void;

/** A name that a host gave, for a file here: it must stay within its folder. */
function safeName(name: string): string {
  if (name === "" || name === "." || name === ".." || /[/\\\0]/.test(name)) throw new GatehouseError("access_denied", `the host names a file ${JSON.stringify(name)}, which would not stay in its folder`);
  return name;
}

/** A file or folder here. Throws `not_found`, or `bad_parameter` where it cannot be looked at. */
async function here(path: string): Promise<LocalStats> {
  try {
    return await stat(path);
  } catch (error) {
    throw new GatehouseError(systemErrorCode(error) === "ENOENT" ? "not_found" : "bad_parameter", `${escapeLine(path)} ${fileProblem(error)}`, { cause: error });
  }
}

/** Opens SFTP on a connection. Throws where the host has none. */
export async function openFiles(connection: OwnConnection): Promise<HostFiles> {
  const ask = <T>(what: string, work: (done: Done<T>) => void): Promise<T> =>
    Promise.race([
      connection.lost,
      new Promise<T>((resolve, reject) => {
        work((error, value) => {
          if (error) reject(new GatehouseError((error as { code?: unknown }).code === noSuchFile ? "not_found" : "internal", `${what}: ${errorMessage(error)}`, { cause: error }));
          else resolve(value);
        });
      }),
    ]);
  const sftp = await ask<SFTPWrapper>("the host offers no SFTP", (done) => connection.client.sftp(done));
  const statOf = async (path: string): Promise<Stats | undefined> => {
    try {
      return await ask<Stats>(path, (done) => sftp.stat(path, done));
    } catch (error) {
      if (error instanceof GatehouseError && error.code === "not_found") return undefined;
      throw error;
    }
  };
  const list = async (path: string): Promise<readonly HostEntry[]> => {
    const entries = await ask<{ readonly filename: string; readonly longname: string; readonly attrs: unknown }[]>(path, (done) => sftp.readdir(path, done));
    return entries.map(({ filename, longname, attrs }) => ({ name: filename, line: longname, stats: attrs as Stats }));
  };
  const act = async (what: string, work: (done: (error: Error | null | undefined) => void) => void): Promise<void> => {
    await ask<unknown>(what, (done) => work((error) => done(error, undefined)));
  };
  const step = (file: string, { progress }: CopyOptions) => (progress === undefined ? {} : { step: (done: number, _chunk: number, total: number) => progress(file, done, total) });

  async function putFile(source: string, target: string, options: CopyOptions): Promise<void> {
    const info = await here(source);
    options.progress?.(source, 0, info.size);
    await act(target, (done) => sftp.fastPut(source, target, { ...transfer, mode: info.mode & permissions, ...step(source, options) }, done));
    if (!options.preserve) return;
    await act(target, (done) => sftp.chmod(target, info.mode & permissions, done));
    await act(target, (done) => sftp.utimes(target, info.atimeMs / 1000, info.mtimeMs / 1000, done));
  }

  async function putTree(source: string, target: string, options: CopyOptions, depth: number): Promise<void> {
    const info = await here(source);
    if (!info.isDirectory()) return putFile(source, target, options);
    if (!options.recursive) throw new GatehouseError("usage", `${source} is a folder`, { hint: "-r copies folders" });
    if (depth > maxDepth) throw new GatehouseError("limit_exceeded", `${source} is more than ${maxDepth} folders deep`);
    if (!(await statOf(target))) await act(target, (done) => sftp.mkdir(target, done));
    for await (const entry of await opendir(source)) await putTree(join(source, entry.name), posix.join(target, entry.name), options, depth + 1);
  }

  async function getFile(source: string, target: string, info: Stats, options: CopyOptions): Promise<void> {
    options.progress?.(source, 0, info.size);
    await act(source, (done) => sftp.fastGet(source, target, { ...transfer, ...step(source, options) }, done));
    const { mode } = await stat(target);
    // What may be executed there may be executed here, by whom this account lets read what it makes.
    await chmod(target, options.preserve ? info.mode & permissions : (mode | (info.mode & 0o111 & (mode >> 2))) & permissions);
    if (options.preserve) await utimes(target, info.atime, info.mtime);
  }

  async function getTree(source: string, target: string, info: Stats, options: CopyOptions, depth: number): Promise<void> {
    if (!info.isDirectory()) return getFile(source, target, info, options);
    if (!options.recursive) throw new GatehouseError("usage", `${source} is a folder`, { hint: "-r copies folders" });
    if (depth > maxDepth) throw new GatehouseError("limit_exceeded", `${source} is more than ${maxDepth} folders deep`);
    await mkdir(target, { recursive: true });
    for (const { name } of await list(source)) {
      if (name === "." || name === "..") continue;
      const from = posix.join(source, safeName(name));
      const child = await statOf(from);
      // A link that leads nowhere.
      if (child) await getTree(from, join(target, name), child, options, depth + 1);
    }
  }

  return {
    stat: statOf,
    list,
    async put(source, target, options) {
      const there = await statOf(target);
      await putTree(source, there?.isDirectory() === true ? posix.join(target, basename(source)) : target, options, 0);
    },
    async get(source, target, options) {
      const info = await statOf(source);
      if (!info) throw new GatehouseError("not_found", `${source}: No such file`);
      const here = await stat(target).catch(() => undefined);
      const name = posix.basename(await ask<string>(source, (done) => sftp.realpath(source, done)));
      await getTree(source, here?.isDirectory() === true ? join(target, safeName(name)) : target, info, options, 0);
    },
    resolve: (path) => ask<string>(path, (done) => sftp.realpath(path, done)),
    makeFolder: (path) => act(path, (done) => sftp.mkdir(path, done)),
    remove: (path) => act(path, (done) => sftp.unlink(path, done)),
    removeFolder: (path) => act(path, (done) => sftp.rmdir(path, done)),
    rename: (from, to) => act(from, (done) => sftp.rename(from, to, done)),
  };
}
