import { constants } from "node:fs";
import { access, lstat, realpath, rm, stat } from "node:fs/promises";
import { homedir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { Document, parseDocument } from "yaml";
import { GatehouseError, escapeLine, systemErrorCode } from "../../base/index.ts";
import { readFileLimited, withLock, writeFileAtomic, type Environment } from "../lean/index.ts";
import { isInitial } from "./entries.ts";
import { kubeconfigText } from "./text.ts";

/** Bytes of a kubeconfig. */
const maxKubeconfig = 16 * 1024 * 1024;
/** ms to wait for kubectl to release its lock. */
const lockWait = 10_000;

/** One file of the list that kubectl reads. */
export interface KubeconfigFile {
  /** As it is named; the lock is beside this. */
  readonly path: string;
  /** What is written: the end of the symlinks. */
  readonly target: string;
  readonly mode: number;
  readonly writable: boolean;
  readonly document: Document;
  /** As read; undefined for a file that is not there. */
  readonly source: string | undefined;
}

/** The files that kubectl would read, in its order: `KUBECONFIG` without empty and repeated elements, else `~/.kube/config`. */
export function kubeconfigPaths(env: Environment): readonly string[] {
  const listed = (env["KUBECONFIG"] ?? "").split(delimiter).filter((path) => path !== "");
  const home = env["HOME"] !== undefined && env["HOME"] !== "" ? env["HOME"] : homedir();
  return listed.length > 0 ? [...new Set(listed)] : [join(home, ".kube", "config")];
}

async function resolveTarget(path: string): Promise<string> {
  try {
    return await realpath(path);
  } catch (error) {
    if (systemErrorCode(error) === "ENOENT") return path;
    throw new GatehouseError("internal", `could not read ${path}: ${systemErrorCode(error) ?? String(error)}`, { cause: error });
  }
}

function parse(path: string, source: string): Document {
  const document = parseDocument(source, { keepSourceTokens: false });
  const [problem] = document.errors;
  if (problem) {
    const at = problem.linePos?.[0];
    throw new GatehouseError("internal", `${path}${at ? `:${at.line}:${at.col}` : ""} is not a kubeconfig: ${escapeLine(problem.message.split("\n")[0] ?? "")}`, { hint: "nothing was changed; repair that file, or name another one in KUBECONFIG" });
  }
  const root: unknown = document.toJS({ maxAliasCount: 1000 });
  if (root !== null && (typeof root !== "object" || Array.isArray(root))) {
    throw new GatehouseError("internal", `${path} is not a kubeconfig: it holds no mapping`, { hint: "nothing was changed; repair that file, or name another one in KUBECONFIG" });
  }
  return document;
}

/** Reads one file of the list; one that is not there is an empty document. Throws `internal` with the line of what cannot be parsed. */
export async function readKubeconfig(path: string): Promise<KubeconfigFile> {
  const target = await resolveTarget(path);
  const source = await readFileLimited(target, { limit: maxKubeconfig });
  const mode = source === undefined ? 0o600 : (await stat(target)).mode & 0o777;
  const document = source === undefined ? new Document() : parse(path, source);
  return { path, target, mode, writable: source === undefined || (await isWritable(path, target, mode)), document, source };
}

/** Whether a person would call the file writable. A rename needs the directory alone, and the superuser needs nothing: the file's mode counts too. */
async function isWritable(path: string, target: string, mode: number): Promise<boolean> {
  if ((mode & 0o222) === 0) return false;
  try {
    for (const place of [target, dirname(target), dirname(path)]) await access(place, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

const readOnly = (path: string): GatehouseError =>
  new GatehouseError("internal", `${path} cannot be written: read-only`, { hint: "make it writable, or name another file in KUBECONFIG" });

/** Where a new entry goes: as kubectl, the only file, else the first that exists (and can be written), else the last. Throws `internal`. */
export function destination(files: readonly KubeconfigFile[]): KubeconfigFile {
  const existing = files.filter((file) => file.source !== undefined);
  const chosen = existing.find((file) => file.writable) ?? (existing.length < files.length ? files.filter((file) => file.source === undefined).at(-1) : undefined);
  if (!chosen) throw readOnly(files.map((file) => file.path).join(", "));
  return chosen;
}

/** Without files that another name of the list leads to already: each would be written over the other. */
function withoutTwins(files: readonly KubeconfigFile[]): readonly KubeconfigFile[] {
  return files.filter((file, index) => files.findIndex(({ target }) => target === file.target) === index);
}

/**
 * Reads every file of the list, lets `change` edit the documents, and writes those that differ, each whole. The files' locks, `<file>.lock` as
 * kubectl has them, are held from the reading to the writing. With `secret`, what is written can be read by its owner alone, whatever its mode was.
 * With `tidy`, a file that a login made and that holds nothing any more is removed. Throws `internal` where a lock stays held for 10 s.
 */
export async function changeKubeconfig<T>(paths: readonly string[], change: (files: readonly KubeconfigFile[]) => T, options: { readonly secret?: boolean; readonly tidy?: boolean } = {}): Promise<T> {
  const first = withoutTwins(await Promise.all(paths.map(readKubeconfig)));
  const once = first.map((file) => file.path);
  const lockable = first.filter((file) => file.writable).map((file) => file.path).sort();
  const result: { value?: T } = {};
  const work = async (): Promise<void> => {
    const files = await Promise.all(once.map(readKubeconfig));
    const before = files.map((file) => file.document.toString());
    result.value = change(files);
    const changed = files.filter((file, index) => file.document.toString() !== before[index]);
    const blocked = changed.find((file) => !file.writable);
    if (blocked) throw readOnly(blocked.path);
    const mask = options.secret === true ? 0o700 : 0o777;
    for (const file of changed) {
      const text = kubeconfigText(file.source, file.document);
      if (options.tidy === true && isInitial(text) && !(await lstat(file.path)).isSymbolicLink()) await rm(file.target);
      else await writeFileAtomic(file.target, text, file.mode & mask);
    }
  };
  const locked = lockable.reduceRight<() => Promise<void>>(
    (inner, path) => async () => {
      await withLock(`${path}.lock`, { wait: lockWait, purpose: `change ${path}` }, inner);
    },
    work,
  );
  await locked();
  return result.value as T;
}

