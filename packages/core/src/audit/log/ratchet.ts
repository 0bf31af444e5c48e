import { createPrivateKey, createPublicKey, generateKeyPairSync, sign, type KeyObject } from "node:crypto";
import { constants } from "node:fs";
import { open, rename, unlink, type FileHandle } from "node:fs/promises";
import { dirname } from "node:path";
import { GatehouseError, errorMessage, syncDirectory, systemErrorCode } from "../../base/index.ts";

interface Pair {
  readonly key: KeyObject;
  /** Raw public half, base64url. */
  readonly publicKey: string;
}

/** The key that signs the next checkpoint, and the one after it. One call at a time. */
export interface Ratchet {
  /** Public half of the key that signs the next checkpoint, base64url. */
  readonly publicKey: string;
  /** Number of the next checkpoint. */
  readonly seq: number;
  /** Whether the file with the key was there. */
  readonly found: boolean;
  /** Makes the pair after this one and has it on the disk. Returns its public half. */
  stage(): Promise<string>;
  /** Signs with the current key; base64url. */
  sign(text: string): string;
  /** The checkpoint is in the log: the staged pair becomes the current one, at once. */
  turn(): void;
  /** Erases from the disk whatever is not the current pair. After a failure the next {@link stage} tries it again. */
  erase(): Promise<void>;
}

const maxFile = 4096;
const publicOf = (key: KeyObject): string => createPublicKey(key).export({ format: "der", type: "spki" }).subarray(-32).toString("base64url");

function makePair(): Pair {
  const { privateKey } = generateKeyPairSync("ed25519");
  return { key: privateKey, publicKey: publicOf(privateKey) };
}

function loadPair(text: unknown): Pair {
  if (typeof text !== "string") throw new Error("a key is missing");
  const key = createPrivateKey({ key: Buffer.from(text, "base64url"), format: "der", type: "pkcs8" });
  if (key.asymmetricKeyType !== "ed25519") throw new Error("a key is not Ed25519");
  return { key, publicKey: publicOf(key) };
}

const saved = ({ key }: Pair): string => key.export({ format: "der", type: "pkcs8" }).toString("base64url");

/** Opens what is there, if it is; checks owner and mode. */
async function openOwn(path: string): Promise<FileHandle | undefined> {
  try {
    const handle = await open(path, constants.O_RDWR | constants.O_NOFOLLOW);
    const { mode, uid, size } = await handle.stat();
    if ((mode & 0o077) === 0 && (process.getuid === undefined || uid === process.getuid()) && size <= maxFile) return handle;
    await handle.close();
    throw new GatehouseError("access_denied", `${path} is open to others, or another user's: it is not used`, { hint: "find out why; moved away, a new key is made and the log says so" });
  } catch (error) {
    if (systemErrorCode(error) === "ENOENT") return undefined;
    throw error;
  }
}

/** Replaces the file in one step, and overwrites what was in it before. */
async function replace(path: string, text: string): Promise<void> {
  const before = await openOwn(path);
  try {
    // Always this name: what a crash left of it is a key too. The data directory is one process's.
    const draft = `${path}.new`;
    await unlink(draft).catch((error: unknown) => {
      if (systemErrorCode(error) !== "ENOENT") throw error;
    });
    const fresh = await open(draft, constants.O_CREAT | constants.O_EXCL | constants.O_WRONLY | constants.O_NOFOLLOW, 0o600);
    try {
      await fresh.writeFile(text);
      await fresh.datasync();
      await fresh.close();
      await rename(draft, path);
    } catch (error) {
      await fresh.close().catch(() => undefined);
      await unlink(draft).catch(() => undefined);
      throw error;
    }
    if (before) {
      // The name is gone; the blocks of the old key go too, as far as the file system writes in place.
      const { size } = await before.stat();
      await before.write(Buffer.alloc(size), 0, size, 0);
      await before.datasync();
    }
    await syncDirectory(dirname(path));
  } finally {
    await before?.close();
  }
}

interface Saved {
  readonly seq: number;
  readonly current: Pair;
  readonly staged: Pair | undefined;
}

async function load(path: string): Promise<Saved | undefined> {
  const handle = await openOwn(path);
  if (!handle) return undefined;
  try {
    const { seq, current, next } = JSON.parse(await handle.readFile("utf8")) as { seq?: unknown; current?: unknown; next?: unknown };
    if (typeof seq !== "number" || !Number.isSafeInteger(seq)) throw new Error("its number is missing");
    return { seq, current: loadPair(current), staged: next === undefined ? undefined : loadPair(next) };
  } catch (error) {
    throw new GatehouseError("unavailable", `the key of the audit log's checkpoints in ${path} cannot be read: ${errorMessage(error)}`, {
      hint: "moved away, a new key is made; verification tells that it was not announced",
      cause: error,
    });
  } finally {
    await handle.close();
  }
}

/**
 * Opens the key file (0600), or makes the first one. `announced` says whether a public key is named in the log: a crash may have left two pairs,
 * and the log decides which of them signs next. Throws `unavailable` or `access_denied` for a file that cannot be used.
 */
export async function openRatchet(options: { readonly path: string; readonly announced: (publicKey: string) => Promise<boolean> }): Promise<Ratchet> {
  const { path } = options;
  const there = await load(path);
  let current = there?.current ?? makePair();
  let seq = there?.seq ?? 0;
  let staged: Pair | undefined;
  if (there?.staged && (await options.announced(there.staged.publicKey))) {
    current = there.staged;
    seq += 1;
  }
  const write = (next?: Pair): Promise<void> => replace(path, `${JSON.stringify({ seq, current: saved(current), ...(next ? { next: saved(next) } : {}) })}\n`);
  if (!there || there.staged) await write();
  return {
    found: there !== undefined,
    get publicKey() {
      return current.publicKey;
    },
    get seq() {
      return seq;
    },
    async stage() {
      const next = makePair();
      await write(next);
      staged = next;
      return next.publicKey;
    },
    sign: (text) => sign(null, Buffer.from(text), current.key).toString("base64url"),
    turn() {
      if (!staged) throw new GatehouseError("internal", "no key is staged");
      current = staged;
      seq += 1;
      staged = undefined;
    },
    erase: () => write(),
  };
}
