import { createHash, timingSafeEqual } from "node:crypto";
import { constants, createReadStream } from "node:fs";
import { mkdir, open, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { GatehouseError, errorMessage, systemErrorCode, type Logger } from "../../base/index.ts";
import { readWitnessLine } from "../verify/index.ts";

/** Characters of one checkpoint. */
const maxLine = 8192;
const minToken = 16;

/** Keeps the checkpoints of other gateways: one file each. */
export interface WitnessKeeper {
  /** Names of the gateways. */
  readonly names: readonly string[];
  /**
   * Appends a checkpoint of the gateway `name`, on the disk when it resolves. `authorization` is the header with its token. Throws `unauthenticated`,
   * `bad_parameter` for what is no checkpoint, or `unavailable`.
   */
  accept(name: string, authorization: string | undefined, line: string): Promise<void>;
  /** What is kept of a gateway, one checkpoint a line. Throws `not_found`. */
  read(name: string): Promise<Readable>;
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

  async function append(name: string, line: string): Promise<void> {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    const file = await open(fileOf(name), constants.O_APPEND | constants.O_CREAT | constants.O_WRONLY | constants.O_NOFOLLOW, 0o640);
    try {
      const bytes = Buffer.from(`${line}\n`);
      const { bytesWritten } = await file.write(bytes, 0, bytes.length);
      if (bytesWritten !== bytes.length) throw new Error(`the file took only ${bytesWritten} of ${bytes.length} bytes`);
      await file.datasync();
    } finally {
      await file.close();
    }
  }

  return {
    names: [...tokenFiles.keys()],
    async accept(name, authorization, line) {
      await check(name, authorization);
      if (line.length > maxLine || line.includes("\n") || !line.startsWith("{") || !readWitnessLine(Buffer.from(line))) {
        throw new GatehouseError("bad_parameter", "this is not a checkpoint whose signature is right");
      }
      const mine = appending.then(() => append(name, line));
      appending = mine.catch(() => undefined);
      await mine.catch((error: unknown) => {
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
