import { errorMessage } from "../base/index.ts";
import type { DigestMemory } from "./file-digest.ts";
import type { FileEvent, FileTap, OnFile } from "./file-events.ts";
import { readSftpAttributes } from "./sftp-attributes.ts";
import { SftpFile, refusedOpen } from "./sftp-file.ts";
import { SftpPackets, sftpType } from "./sftp-packets.ts";
import type { SftpInterest } from "./sftp-packets.ts";
import { SshReader } from "./ssh-wire.ts";

/** The version that is read: OpenSSH speaks no other. */
const version = 3;
/** Requests that wait for their answers; OpenSSH's clients have 64 to 1024. */
const maxRequests = 16_384;
const maxFiles = 4096;
/** Sizes that were asked for by path and are remembered for an `open`. */
const maxSizes = 256;
/** What may wait of all files, out of order, bytes. */
const digestMemory = 8 * 1024 * 1024;
const statusOk = 0;
const statusEof = 1;

/** What a request is waiting for. */
type Pending =
  | { readonly kind: "open"; readonly path: string; readonly flags: number }
  | { readonly kind: "close"; readonly handle: string }
  | { readonly kind: "read"; readonly handle: string; readonly offset: number }
  /** `seen`: its content is known to be this file's. */
  | { readonly kind: "write"; readonly handle: string; readonly seen: boolean }
  | { readonly kind: "stat"; readonly path?: string; readonly handle?: string }
  /** Attributes of an open file. */
  | { readonly kind: "set"; readonly handle: string; readonly detail: string; readonly size: number | undefined }
  /** Told as an event with its outcome. */
  | { readonly kind: "change"; readonly event: Omit<FileEvent, "ok" | "error"> }
  /** Nothing of it is told; its answer must not be taken for another's. */
  | { readonly kind: "other" };

/** Looks on at SFTP, version 3, and tells what is done to files. */
export function createSftpTap(onFile: OnFile): FileTap {
  return new SftpTap(onFile);
}

class SftpTap implements FileTap {
  readonly #onFile: OnFile;
  readonly #client: SftpPackets;
  readonly #host: SftpPackets;
  readonly #pending = new Map<number, Pending>();
  readonly #files = new Map<string, SftpFile>();
  /** Handles that the client has asked to close. */
  readonly #closing = new Set<string>();
  readonly #sizes = new Map<string, number>();
  readonly #memory: DigestMemory = { left: digestMemory };
  #greeted = false;
  #version: number | undefined;
  /** Whom the content under way belongs to, and where it goes on. */
  #reading: { readonly file: SftpFile; offset: number } | undefined;
  #writing: { readonly file: SftpFile; offset: number } | undefined;
  #problem: string | undefined;

  constructor(onFile: OnFile) {
    this.#onFile = onFile;
    this.#client = new SftpPackets({
      interest: (type) => this.#clientInterest(type),
      packet: (type, body) => this.#request(type, body),
      content: (bytes) => {
        if (this.#writing === undefined) return;
        this.#writing.file.write(this.#writing.offset, bytes);
        this.#writing.offset += bytes.length;
      },
    });
    this.#host = new SftpPackets({
      interest: (type) => this.#hostInterest(type),
      packet: (type, body) => this.#reply(type, body),
      content: (bytes) => {
        if (this.#reading === undefined) return;
        this.#reading.file.read(this.#reading.offset, bytes);
        this.#reading.offset += bytes.length;
      },
    });
  }

  get problem(): string | undefined {
    return this.#problem;
  }

  fromClient(bytes: Uint8Array): void {
    this.#feed(this.#client, bytes, "client");
  }

  fromHost(bytes: Uint8Array): void {
    this.#feed(this.#host, bytes, "host");
  }

  end(): void {
    for (const file of this.#files.values()) this.#tellAll(file.finish("the session ended before it was closed"));
    this.#files.clear();
    for (const pending of this.#pending.values()) {
      const error = "the session ended before the answer";
      if (pending.kind === "change") this.#onFile({ ...pending.event, ok: false, error });
      if (pending.kind === "open") this.#onFile(refusedOpen(pending.path, pending.flags, error));
    }
    this.#pending.clear();
  }

  #feed(packets: SftpPackets, bytes: Uint8Array, side: string): void {
    if (this.#problem !== undefined) return;
    try {
      packets.feed(bytes);
    } catch (error) {
      this.#problem = `the ${side}'s SFTP cannot be read: ${errorMessage(error)}`;
    }
    if (packets.problem !== undefined) this.#problem ??= `the ${side}'s SFTP cannot be read: ${packets.problem}`;
  }

  #clientInterest(type: number): SftpInterest {
    if ((type === sftpType.init) === this.#greeted) throw problem("packets out of order");
    if (type !== sftpType.init && this.#version === undefined) throw problem("requests before the version is agreed");
    if (type === sftpType.write) return "content";
    if (isUntold(type)) return idLength;
    if ((type >= sftpType.init && type <= sftpType.symlink && type !== sftpType.version) || type === sftpType.extended) return "whole";
    throw problem(`a packet of type ${String(type)}`);
  }

  #hostInterest(type: number): SftpInterest {
    if ((type === sftpType.version) === (this.#version !== undefined)) throw problem("packets out of order");
    switch (type) {
      case sftpType.version:
      case sftpType.status:
      case sftpType.handle:
        return "whole";
      case sftpType.data:
        return "content";
      case sftpType.attrs:
        return 16;
      case sftpType.name:
      case sftpType.extendedReply:
        return 4;
      default:
        throw problem(`a packet of type ${String(type)}`);
    }
  }

  #request(type: number, body: Buffer): void {
    if (type === sftpType.init) {
      this.#greeted = true;
      return;
    }
    const reader = new SshReader(body, "SFTP packet");
    const id = reader.uint32();
    const pending = isUntold(type) ? other : this.#read(type, reader);
    if (this.#pending.has(id)) throw problem("a request with the id of another");
    if (this.#pending.size >= maxRequests) throw problem("too many requests without an answer");
    this.#pending.set(id, pending);
  }

  #read(type: number, reader: SshReader): Pending {
    switch (type) {
      case sftpType.open:
        return { kind: "open", path: text(reader), flags: reader.uint32() };
      case sftpType.close: {
        const handle = handleOf(reader);
        this.#closing.add(handle);
        return { kind: "close", handle };
      }
      case sftpType.read:
        return { kind: "read", handle: handleOf(reader), offset: Number(reader.uint64()) };
      case sftpType.write: {
        const handle = handleOf(reader);
        // Behind a close that is under way, the same handle may be another file's.
        const file = this.#closing.has(handle) ? undefined : this.#files.get(handle);
        this.#writing = file && { file, offset: Number(reader.uint64()) };
        return { kind: "write", handle, seen: file !== undefined };
      }
      case sftpType.stat:
      case sftpType.lstat:
        return { kind: "stat", path: text(reader) };
      case sftpType.fstat:
        return { kind: "stat", handle: handleOf(reader) };
      case sftpType.setstat:
        return { kind: "change", event: { action: "setstat", path: text(reader), detail: readSftpAttributes(reader).text } };
      case sftpType.fsetstat:
        return { kind: "set", handle: handleOf(reader), ...attributesOf(reader) };
      case sftpType.remove:
        return { kind: "change", event: { action: "remove", path: text(reader) } };
      case sftpType.mkdir:
        return { kind: "change", event: { action: "mkdir", path: text(reader) } };
      case sftpType.rmdir:
        return { kind: "change", event: { action: "rmdir", path: text(reader) } };
      case sftpType.rename:
        return { kind: "change", event: { action: "rename", path: text(reader), target: text(reader) } };
      case sftpType.symlink: {
        // OpenSSH and all who speak with it have them the other way round than the draft (its PROTOCOL §4.1).
        const target = text(reader);
        return { kind: "change", event: { action: "symlink", path: text(reader), target } };
      }
      default:
        return this.#extended(reader);
    }
  }

  #extended(reader: SshReader): Pending {
    switch (text(reader)) {
      case "posix-rename@openssh.com":
        return { kind: "change", event: { action: "rename", path: text(reader), target: text(reader) } };
      case "hardlink@openssh.com": {
        const target = text(reader);
        return { kind: "change", event: { action: "link", path: text(reader), target } };
      }
      case "lsetstat@openssh.com":
        return { kind: "change", event: { action: "setstat", path: text(reader), detail: readSftpAttributes(reader).text } };
      case "copy-data": {
        handleOf(reader);
        reader.uint64();
        reader.uint64();
        this.#files.get(handleOf(reader))?.lose("the host copied into it");
        return other;
      }
      default:
        return other;
    }
  }

  #reply(type: number, body: Buffer): void {
    const reader = new SshReader(body, "SFTP packet");
    if (type === sftpType.version) {
      this.#version = reader.uint32();
      if (!this.#greeted || this.#version !== version) throw problem(`version ${String(this.#version)}, where ${String(version)} is known`);
      return;
    }
    const id = reader.uint32();
    const pending = this.#pending.get(id);
    this.#reading = undefined;
    if (pending === undefined) throw problem("an answer to nothing");
    this.#pending.delete(id);
    if (type === sftpType.status) {
      const code = reader.uint32();
      this.#outcome(pending, code, code === statusOk ? undefined : failureText(code, reader));
    } else if (type === sftpType.handle && pending.kind === "open") {
      this.#opened(handleOf(reader), pending);
    } else if (type === sftpType.data && pending.kind === "read") {
      this.#reading = { file: this.#fileOf(pending.handle), offset: pending.offset };
    } else if (type === sftpType.attrs && pending.kind === "stat") {
      this.#sized(pending, readSize(reader));
    }
  }

  #opened(handle: string, { path, flags }: { readonly path: string; readonly flags: number }): void {
    const before = this.#files.get(handle);
    if (before !== undefined) this.#tellAll(before.finish("the host gave its handle to another file"));
    else if (this.#files.size >= maxFiles) throw problem("too many open files");
    this.#closing.delete(handle);
    this.#files.set(handle, new SftpFile(path, flags, this.#sizes.get(path), this.#memory));
    this.#sizes.delete(path);
  }

  #outcome(pending: Pending, code: number, error: string | undefined): void {
    switch (pending.kind) {
      case "open":
        if (error !== undefined) this.#onFile(refusedOpen(pending.path, pending.flags, error));
        return;
      case "close": {
        const file = this.#files.get(pending.handle);
        this.#files.delete(pending.handle);
        this.#closing.delete(pending.handle);
        if (file !== undefined) this.#tellAll(file.finish(error));
        return;
      }
      case "read": {
        const file = this.#files.get(pending.handle);
        if (code === statusEof) file?.readEnd(pending.offset);
        else if (error !== undefined) file?.fail("read", error);
        return;
      }
      case "write":
        if (error !== undefined) this.#files.get(pending.handle)?.fail("write", error);
        else if (!pending.seen) this.#fileOf(pending.handle).lose("it was written to before it was known to be open");
        return;
      case "set": {
        const file = this.#files.get(pending.handle);
        if (file === undefined) return;
        if (error === undefined && pending.size !== undefined) file.cut(pending.size);
        this.#onFile({ action: "setstat", path: file.path, detail: pending.detail, ok: error === undefined, ...(error === undefined ? {} : { error }) });
        return;
      }
      case "change":
        this.#onFile({ ...pending.event, ok: error === undefined, ...(error === undefined ? {} : { error }) });
        return;
      case "stat":
      case "other":
        return;
    }
  }

  /** The file that the host has under this handle. Throws where none was told: its content would pass unseen. */
  #fileOf(handle: string): SftpFile {
    const file = this.#files.get(handle);
    if (file === undefined) throw problem("content of a file that nobody opened");
    return file;
  }

  #sized({ path, handle }: { readonly path?: string; readonly handle?: string }, size: number | undefined): void {
    if (size === undefined) return;
    if (handle !== undefined) this.#files.get(handle)?.known(size);
    if (path === undefined) return;
    this.#sizes.delete(path);
    const [oldest] = this.#sizes.keys();
    if (this.#sizes.size >= maxSizes && oldest !== undefined) this.#sizes.delete(oldest);
    this.#sizes.set(path, size);
  }

  #tellAll(events: readonly FileEvent[]): void {
    for (const event of events) this.#onFile(event);
  }
}

const other: Pending = { kind: "other" };
const idLength = 4;
/** Whether a request is of no interest but for its id. */
const isUntold = (type: number): boolean => type === sftpType.opendir || type === sftpType.readdir || type === sftpType.realpath || type === sftpType.readlink;
const text = (reader: SshReader): string => reader.string().toString("utf8");
const handleOf = (reader: SshReader): string => reader.string().toString("latin1");
const problem = (what: string): Error => new SshReader(Buffer.alloc(0), "SFTP").error(what);

function attributesOf(reader: SshReader): { readonly detail: string; readonly size: number | undefined } {
  const { size, text: detail } = readSftpAttributes(reader);
  return { detail, size };
}

function readSize(reader: SshReader): number | undefined {
  return (reader.uint32() & 1) === 0 ? undefined : Number(reader.uint64());
}

function failureText(code: number, reader: SshReader): string {
  const words = reader.remaining > 0 ? text(reader) : "";
  return words === "" ? `status ${String(code)}` : words;
}
