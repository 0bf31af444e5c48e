import { createHash } from "node:crypto";
import { asBuffer } from "./bytes.ts";
import type { FileEvent, FileTap, OnFile } from "./file-events.ts";
import type { ScpCommand } from "./scp-command.ts";

/** Longest line, bytes: OpenSSH's scp.c reads 2047 with the newline, and takes what is longer for several. */
const maxLine = 2046;
const maxDepth = 256;
const newline = 10;
const ended = "the session ended before it was whole";

/** A file that passes. */
interface Transfer {
  readonly event: Pick<FileEvent, "action" | "path" | "detail">;
  readonly hash: ReturnType<typeof createHash>;
  readonly size: number;
  left: number;
  /** The sender's own failure. */
  failure?: string | undefined;
}

/** What the sender waits for the receiver to say yes to. */
type Ask = { readonly kind: "begin" | "other" } | { readonly kind: "directory"; readonly path: string } | { readonly kind: "file" | "content"; readonly transfer: Transfer };

/**
 * Looks on at legacy scp, as `scp -t` and `scp -f` speak it: lines `C`, `D`, `E` and `T` from the side that has the files, each answered by a zero
 * or by an error (OpenSSH's scp.c). The file's name stands in `detail` where the path alone does not tell whether it is a directory.
 */
export function createScpTap(command: ScpCommand, onFile: OnFile): FileTap {
  return new ScpTap(command, onFile);
}

class ScpTap implements FileTap {
  readonly #command: ScpCommand;
  readonly #onFile: OnFile;
  readonly #directories: string[] = [];
  readonly #asked: Ask[] = [{ kind: "begin" }];
  /** The sender's line under way, and the receiver's. */
  #line: Buffer = Buffer.alloc(0);
  #answer: Buffer = Buffer.alloc(0);
  #transfer: Transfer | undefined;
  /** Something of the file under way was sent. */
  #sent = false;
  #problem: string | undefined;

  constructor(command: ScpCommand, onFile: OnFile) {
    this.#command = command;
    this.#onFile = onFile;
  }

  get problem(): string | undefined {
    return this.#problem;
  }

  fromClient(bytes: Uint8Array): void {
    this.#feed(bytes, this.#command.action === "upload");
  }

  fromHost(bytes: Uint8Array): void {
    this.#feed(bytes, this.#command.action === "download");
  }

  end(): void {
    if (this.#problem !== undefined && this.#transfer === undefined) return;
    for (const ask of this.#asked) {
      if (ask.kind === "content") this.#tell(ask.transfer, "the session ended before it was taken");
    }
    if (this.#transfer !== undefined) this.#tell(this.#transfer, ended);
    this.#transfer = undefined;
    this.#asked.length = 0;
  }

  #feed(bytes: Uint8Array, sender: boolean): void {
    const chunk = asBuffer(bytes);
    for (let at = 0; at < chunk.length && this.#problem === undefined; ) at = sender ? this.#fromSender(chunk, at) : this.#fromReceiver(chunk, at);
  }

  /** Takes bytes from `at` on, and returns where to go on. */
  #fromSender(chunk: Buffer, at: number): number {
    const transfer = this.#transfer;
    if (transfer !== undefined && transfer.left > 0) {
      const end = Math.min(chunk.length, at + transfer.left);
      transfer.hash.update(chunk.subarray(at, end));
      transfer.left -= end - at;
      this.#sent = true;
      return end;
    }
    if (transfer !== undefined && this.#line.length === 0 && chunk[at] === 0) {
      this.#whole(transfer);
      return at + 1;
    }
    const end = chunk.indexOf(newline, at);
    this.#line = Buffer.concat([this.#line, chunk.subarray(at, end < 0 ? chunk.length : end)]);
    if (this.#line.length > maxLine) this.#fail("a line that is too long");
    else if (!this.#fits(this.#line[0], transfer !== undefined)) this.#fail("a line that is none of scp's");
    else if (end >= 0) this.#said();
    return end < 0 ? chunk.length : end + 1;
  }

  /** Whether a line of the sender may begin so: nothing else is kept to the end of a line that may never come. */
  #fits(first: number | undefined, inFile: boolean): boolean {
    if (first === undefined) return true;
    return first === 1 || first === 2 || (!inFile && "CDET".includes(String.fromCharCode(first)));
  }

  #said(): void {
    const line = this.#line.toString("utf8");
    this.#line = Buffer.alloc(0);
    if (line.startsWith("\x01") || line.startsWith("\x02")) {
      const transfer = this.#transfer;
      if (transfer === undefined) {
        this.#onFile({ action: this.#command.action, path: this.#command.path, ok: false, error: line.slice(1) });
      } else {
        transfer.failure = line.slice(1);
        this.#whole(transfer);
      }
      return;
    }
    const [, kind = "", digits = "", name = ""] = /^([CD])[0-7]{4,5} ([0-9]{1,16}) ([^/\0]+)$/.exec(line) ?? [];
    if (kind === "C" && name !== "." && name !== "..") {
      const size = Number(digits);
      const transfer: Transfer = { event: { action: this.#command.action, ...this.#named(name) }, hash: createHash("sha256"), size, left: size };
      this.#transfer = transfer;
      this.#sent = false;
      this.#asked.push({ kind: "file", transfer });
    } else if (kind === "D" && name !== "." && name !== ".." && this.#directories.length < maxDepth) {
      this.#asked.push({ kind: "directory", path: this.#named(name).path });
      this.#directories.push(name);
    } else if (line === "E" && this.#directories.length > 0) {
      this.#directories.pop();
      this.#asked.push({ kind: "other" });
    } else if (/^T[0-9]+ [0-9]+ [0-9]+ [0-9]+$/.test(line)) {
      this.#asked.push({ kind: "other" });
    } else {
      this.#fail("a line that is none of scp's");
    }
    if (this.#asked.length > maxDepth) this.#fail("more than was answered");
  }

  /** The content of a file is over. */
  #whole(transfer: Transfer): void {
    this.#transfer = undefined;
    this.#asked.push({ kind: "content", transfer });
  }

  #fromReceiver(chunk: Buffer, at: number): number {
    if (this.#answer.length === 0 && chunk[at] === 0) {
      this.#answered(undefined);
      return at + 1;
    }
    const end = chunk.indexOf(newline, at);
    this.#answer = Buffer.concat([this.#answer, chunk.subarray(at, end < 0 ? chunk.length : end)]);
    const [first] = this.#answer;
    if (this.#answer.length > maxLine) this.#fail("an answer that is too long");
    else if (first !== undefined && first !== 1 && first !== 2) this.#fail("an answer that is none of scp's");
    else if (end >= 0 && first === undefined) this.#fail("an answer that is none of scp's");
    else if (end >= 0) {
      const error = this.#answer.subarray(1).toString("utf8");
      this.#answer = Buffer.alloc(0);
      this.#answered(error);
    }
    return end < 0 ? chunk.length : end + 1;
  }

  #answered(error: string | undefined): void {
    const ask = this.#asked.shift();
    if (ask === undefined) {
      if (error === undefined) this.#fail("an answer to nothing");
      return;
    }
    switch (ask.kind) {
      case "begin":
      case "other":
        return;
      case "directory":
        if (this.#command.action === "upload") this.#onFile({ action: "mkdir", path: ask.path, ok: error === undefined, ...(error === undefined ? {} : { error }) });
        if (error === undefined) return;
        // What was sent behind it already was told as if it were in there.
        if (this.#asked.length > 0 || this.#transfer !== undefined) this.#fail("more behind a directory that was refused");
        this.#directories.pop();
        return;
      case "file":
        if (error === undefined) return;
        // Refused: its content is not sent.
        if (this.#transfer !== ask.transfer || this.#sent) this.#fail("the content of a file that was refused");
        this.#transfer = undefined;
        this.#onFile({ ...ask.transfer.event, ok: false, error });
        return;
      case "content":
        this.#tell(ask.transfer, error);
        return;
    }
  }

  #tell({ event, failure, hash, left, size }: Transfer, error: string | undefined): void {
    const why = failure ?? error;
    const outcome = why === undefined ? { ok: true, sha256: hash.digest("hex") } : { ok: false, error: why, undigested: "it did not pass whole" };
    this.#onFile({ ...event, bytes: size - left, ...outcome });
  }

  #named(name: string): { readonly path: string; readonly detail?: string } {
    const { action, path, directory } = this.#command;
    if (action === "download") {
      const parent = path.slice(0, path.lastIndexOf("/") + 1);
      return { path: `${parent}${[...this.#directories, name].join("/")}` };
    }
    if (!directory && this.#directories.length === 0) return { path, detail: name };
    return { path: `${path.endsWith("/") ? path : `${path}/`}${[...this.#directories, name].join("/")}` };
  }

  #fail(what: string): void {
    this.#problem ??= `the stream of scp cannot be read: ${what}`;
    this.#line = Buffer.alloc(0);
    this.#answer = Buffer.alloc(0);
  }
}
