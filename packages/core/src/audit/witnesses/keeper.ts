import { createHash, timingSafeEqual } from "node:crypto";
import { constants, createReadStream } from "node:fs";
import { mkdir, open, readFile, stat, type FileHandle } from "node:fs/promises";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { GatehouseError, errorMessage, systemErrorCode, type Logger } from "../../base/index.ts";
import { checkpointMarker, readWitnessLine } from "../verify/index.ts";

/** Characters of one checkpoint. */
const maxLine = 8192;
const minToken = 16;
/** Bytes that are kept of one gateway: a checkpoint a minute for a dozen years. */
const maxKept = 4 * 1024 * 1024 * 1024;
const tailBlock = 64 * 1024;

/** Keeps the checkpoints of other gateways: one file each. */
export interface WitnessKeeper {
  /** Names of the gateways. */
  readonly names: readonly string[];
  /**
   * Appends a checkpoint of the gateway `name`, on the disk when it resolves; the last one again is no other. `authorization` is the header with its token.
   * Throws `unauthenticated`, `bad_parameter` for what is no checkpoint, `compare_failed` for one of another server or that does not follow the last one,
   * `limit_exceeded` where too much is kept, or `unavailable`.
   */
  accept(name: string, authorization: string | undefined, line: string): Promise<void>;
  /** What is kept of a gateway, one checkpoint a line. Throws `not_found`. */
  read(name: string): Promise<Readable>;
}

/** What the next checkpoint of a gateway is held to. */
interface Kept {
  readonly server: string;
  readonly seq: number;
  readonly key: string;
  readonly next: string;
  readonly hash: string;
}

function keptOf({ checkpoint, hash }: NonNullable<ReturnType<typeof readWitnessLine>>): Kept {
  const { server, seq, key, next } = checkpoint;
  return { server, seq, key, next, hash };
}

/** The end of a file of checkpoints, and the last whole one there. */
async function readEnd(file: FileHandle, size: number): Promise<{ readonly bytes: Buffer; readonly checkpoint: Kept | undefined }> {
  const start = Math.max(0, size - tailBlock);
  const { bytesRead, buffer } = await file.read(Buffer.alloc(size - start), 0, size - start, start);
  const bytes = buffer.subarray(0, bytesRead);
  for (const line of bytes.toString("latin1").split("\n").reverse()) {
    const read = readWitnessLine(Buffer.from(line, "latin1"));
    if (read) return { bytes, checkpoint: keptOf(read) };
  }
  return { bytes, checkpoint: undefined };
}

const digest = (text: string): Buffer => createHash("sha256").update(text).digest();

/** A keeper in `directory` (made 0700). Token files are read at each use, so that they may be replaced. */
export function createWitnessKeeper(options: { readonly directory: string; readonly accepted: readonly { readonly name: string; readonly tokenFile: string }[]; readonly logger: Logger }): WitnessKeeper {
  const { directory, logger } = options;
  const tokenFiles = new Map(options.accepted.map(({ name, tokenFile }) => [name, tokenFile]));
  const fileOf = (name: string): string => join(directory, `${name}.log`);
  /** Appends in turn. */
  let appending: Promise<void> = Promise.resolve();

  async function check(name: string, authorization: string | undefined): Promise<void> {
    const file = tokenFiles.get(name);
    const token = file === undefined ? "" : (await readFile(file, "utf8").catch((error: unknown) => {
      logger.error({ file, error: errorMessage(error) }, "the token of a witnessed gateway cannot be read");
      return "";
    })).trim();
    // An unknown name takes the same way as a wrong token.
    const right = timingSafeEqual(digest(authorization ?? ""), digest(`Bearer ${token}`));
    if (!right || token.length < minToken) throw new GatehouseError("unauthenticated", "this gateway is witness for nobody with this name and token");
  }

  /** The last checkpoint that is kept of each. */
  const last = new Map<string, Kept>();

  async function append(name: string, line: string, checkpoint: Kept): Promise<void> {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    const file = await open(fileOf(name), constants.O_APPEND | constants.O_CREAT | constants.O_RDWR | constants.O_NOFOLLOW, 0o640);
    try {
      const { size } = await file.stat();
      const { bytes: end, checkpoint: found } = await readEnd(file, size);
      // Moved away, with what was kept: another log may begin.
      const before = size === 0 ? undefined : (last.get(name) ?? found);
      if (before) {
        if (before.hash === checkpoint.hash) return;
        follows(name, before, checkpoint);
      }
      if (size > maxKept) throw new GatehouseError("limit_exceeded", "there is no room for more checkpoints of this gateway", { hint: `move ${fileOf(name)} to where it is kept` });
      // What was cut short must not be glued to what comes next.
      const bytes = Buffer.from(`${end.length > 0 && end.at(-1) !== 0x0a ? "\n" : ""}${line}\n`);
      const { bytesWritten } = await file.write(bytes, 0, bytes.length);
      if (bytesWritten !== bytes.length) throw new Error(`the file took only ${bytesWritten} of ${bytes.length} bytes`);
      await file.datasync();
      last.set(name, checkpoint);
    } finally {
      await file.close();
    }
  }

  function follows(name: string, before: Kept, next: Kept): void {
    const refuse = (why: string): never => {
      logger.error({ gateway: name, seq: next.seq }, `a checkpoint of a witnessed gateway was refused: ${why}`);
      throw new GatehouseError("compare_failed", `this checkpoint does not follow the last one that is kept: ${why}`, {
        hint: `find out why; a new log of that gateway is taken once ${fileOf(name)} is moved to where it is kept`,
      });
    };
    if (next.server !== before.server) refuse("it is of another server");
    if (next.seq <= before.seq) refuse(`its number is ${next.seq}, after ${before.seq}`);
    if (next.seq === before.seq + 1 && next.key !== before.next) refuse("it is signed with another key than the last one announced");
  }

  return {
    names: [...tokenFiles.keys()],
    async accept(name, authorization, line) {
      await check(name, authorization);
      // It is the whole line: nothing stands in front of it.
      const read = line.length > maxLine || line.includes("\n") || !line.startsWith(checkpointMarker) ? undefined : readWitnessLine(Buffer.from(line));
      if (!read) throw new GatehouseError("bad_parameter", "this is not a checkpoint whose signature is right");
      const mine = appending.then(() => append(name, line, keptOf(read)));
      appending = mine.catch(() => undefined);
      await mine.catch((error: unknown) => {
        if (error instanceof GatehouseError) throw error;
        throw new GatehouseError("unavailable", `the checkpoint cannot be kept: ${errorMessage(error)}`, { cause: error });
      });
    },
    async read(name) {
      const none = new GatehouseError("not_found", "this gateway has no checkpoints of a gateway with this name");
      if (!tokenFiles.has(name)) throw none;
      await stat(fileOf(name)).catch((error: unknown) => {
        throw systemErrorCode(error) === "ENOENT" ? none : error;
      });
      return createReadStream(fileOf(name));
    },
  };
}
