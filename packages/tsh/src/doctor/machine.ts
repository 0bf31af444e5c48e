import { execFile } from "node:child_process";
import { lstat, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { GatehouseError, errorMessage, systemErrorCode } from "@gatehouse/core/base";
import { failed, ok, skipped, warning, type Found } from "./finding.ts";
import type { Patient } from "./patient.ts";

/** ms that a program may take to say its version. */
export const programLimit = 5000;
const maxSaid = 64 * 1024;
const maxFiles = 2000;

/** Runs a program and resolves with all that it says. Throws `internal` with its last line where it fails. */
export async function askProgram(file: string, args: readonly string[], env: Patient["env"]): Promise<string> {
  try {
    const { stdout, stderr } = await promisify(execFile)(file, args, { env: { ...env }, timeout: programLimit - 200, killSignal: "SIGKILL", maxBuffer: maxSaid });
    return stdout + stderr;
  } catch (error) {
    const said = typeof error === "object" && error !== null && "stderr" in error ? String(error.stderr).trim().split("\n").at(-1) : undefined;
    throw new GatehouseError("internal", `${file} does not run: ${said === undefined || said === "" ? errorMessage(error) : said}`, { cause: error });
  }
}

const number = (version: string): readonly number[] => version.replace(/^v/, "").split(/[.+-]/).slice(0, 3).map(Number);

/** Whether a version is at least another, by three numbers. */
export function atLeast(version: string, least: string): boolean {
  const [have, want] = [number(version), number(least)];
  const differs = want.findIndex((part, index) => (have[index] ?? 0) !== part);
  return differs < 0 || (have[differs] ?? 0) > (want[differs] ?? 0);
}

/** Node runs all of this. */
export function checkNode(version: string): Found {
  const detail = `${version}, ${process.platform}-${process.arch}`;
  return atLeast(version, "20.18.1") ? ok(detail) : failed(detail, "install Node 20.18.1 or newer; 24 is recommended");
}

/** Files that nobody else may read: all but what is no secret to begin with. */
const isSecret = (path: string): boolean => /[\\/](?:keys|cache)[\\/]|\.json$/.test(path);

/** The home: whose it is, who else may read it, and whether it can be written. */
export async function checkHome({ home }: Patient): Promise<Found> {
  const info = await lstat(home.path).catch((error: unknown) => {
    if (systemErrorCode(error) === "ENOENT") return undefined;
    throw error;
  });
  if (!info) return skipped(`${home.path} is not there yet: the first login makes it`);
  if (!info.isDirectory() && !info.isSymbolicLink()) return failed(`${home.path} is no folder`, "move it away");
  const own = process.geteuid?.();
  const entries = (await readdir(home.path, { recursive: true, withFileTypes: true })).slice(0, maxFiles);
  const open: string[] = [];
  for (const entry of entries) {
    const path = join(entry.parentPath, entry.name);
    const each = await lstat(path).catch(() => undefined);
    if (!each || process.platform === "win32" || each.isSymbolicLink()) continue;
    if (own !== undefined && each.uid !== own) return failed(`${path} belongs to another user (uid ${each.uid})`, `chown it back, or remove it: ls -l ${path}`);
    if (each.isFile() && ((each.mode & 0o022) !== 0 || (isSecret(path) && (each.mode & 0o077) !== 0))) open.push(path);
  }
  const [first] = open;
  if (first !== undefined) return failed(`${first}${open.length > 1 ? ` and ${open.length - 1} more` : ""} can be read or changed by others`, `chmod -R go-rwx ${home.path}; if a key is among them, log in again: it may be known`);
  try {
    const probe = await mkdtemp(join(home.path, ".doctor-"));
    await writeFile(join(probe, "probe"), "x".repeat(4096));
    await rm(probe, { recursive: true });
  } catch (error) {
    return failed(`${home.path} cannot be written: ${systemErrorCode(error) ?? errorMessage(error)}`, "free some space there, or make it writable");
  }
  if (process.platform !== "win32" && !info.isSymbolicLink() && (info.mode & 0o077) !== 0) return warning(`others may look into ${home.path}`, `chmod go-rwx ${home.path}`);
  return ok(`${home.path} is yours alone, and can be written`);
}
