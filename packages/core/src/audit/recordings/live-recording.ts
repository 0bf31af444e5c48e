import type { Clock } from "../../base/index.ts";
import { RecordingBuilder, encodeRecordingJson, encodeRecordingResize, type RecordingEnd, type RecordingMarker, type RecordingType, type TerminalSize } from "../../formats/index.ts";
import { largeBuffer, smallBuffer, type Buffers } from "./buffers.ts";
import { systemReason, within, type Lanes, type SyncGroup, type Syncable } from "./disk.ts";
import { filePage } from "./file.ts";
import { followFile } from "./follow.ts";
import type { Recording, RecordingFile, RecordingLimits, RecordingListener, RecordingMode, RecordingResult } from "./types.ts";

/** What all recordings of a gateway share. */
export interface RecordingContext {
  readonly clock: Clock;
  readonly limits: RecordingLimits;
  readonly buffers: Buffers;
  readonly lanes: Lanes;
  readonly syncs: SyncGroup;
}

/** What one recording is of. */
export interface RecordingTarget {
  readonly sid: string;
  readonly file: RecordingFile;
  /** Where the file is while it is written. */
  readonly path: string;
  /** Its lasting name, below the directory of logs. */
  readonly name: string;
  readonly started: number;
  readonly mode: RecordingMode;
  readonly listener: RecordingListener;
  /** Renames and removes it, and forgets about it. */
  readonly rename: () => Promise<void>;
  readonly remove: () => Promise<void>;
}

/** A chunk that waits to be written, and the recording's digest with it. */
interface Sealed {
  readonly bytes: Buffer;
  readonly digest: Buffer;
}

/** What waits longest before it is written while somebody follows, ms: they may be typing, and want to see it. */
const promptFlush = 10;
/** Characters of a marker that its readers take. */
const maxKind = 64;
const maxText = 8192;

/** Chunks that one write takes. */
const batch = 16;
/** A disk that takes longer for a chunk, ms, so many times one after the other, while the session is held back for it, is slow: 100 MB/s. */
const slowChunk = 2.5;
const slowWrites = 8;

/** {@link Recording} over a file. */
export class LiveRecording implements Recording, Syncable {
  readonly sid: string;
  readonly #context: RecordingContext;
  readonly #target: RecordingTarget;
  readonly #builder = new RecordingBuilder();
  readonly #queue: Sealed[] = [];
  /** What of the queue is with the disk. */
  #writing: readonly Sealed[] = [];
  readonly #followers = new Set<() => void>();
  #following = 0;
  #waiting = 0;
  /** Bytes of the file that are whole chunks. */
  #size = 0;
  #digest: Buffer = Buffer.alloc(32);
  #pumping: Promise<void> | undefined;
  #flushTimer: NodeJS.Timeout | undefined;
  /** The last chunk was full before its time: the next gets more room. */
  #flowing = false;
  #behind = false;
  /** It was held back for long enough: from now on there may be gaps. */
  #impatient = false;
  #behindTimer: NodeJS.Timeout | undefined;
  /** Writes one after the other for which the session was held back; after so many, until then (ms since the epoch) the system's cache takes what it can. */
  #slow = 0;
  #slowUntil = 0;
  /** What waits is to be written, however little it is. */
  #due = false;
  /** Something waits, and for some time nothing was written. */
  #late = false;
  #lateTimer: NodeJS.Timeout | undefined;
  #problem: string | undefined;
  /** Why the last write failed, until one succeeds. */
  #failure: string | undefined;
  #gap: { bytes: number; readonly why: string } | undefined;
  #lost = false;
  #unsynced = false;
  /** The disk took what was written, and for some time did not say that it has it. */
  #volatile = false;
  #volatileTimer: NodeJS.Timeout | undefined;
  #synced: { readonly bytes: number; readonly sha256: string } | undefined;
  #ended: Promise<RecordingResult> | undefined;
  #closed = false;
  #wake: () => void = ignore;

  constructor(context: RecordingContext, target: RecordingTarget) {
    this.sid = target.sid;
    this.#context = context;
    this.#target = target;
  }

  get behind(): boolean {
    return this.#behind && !this.#impatient;
  }

  get problem(): string | undefined {
    return this.#problem;
  }

  /** Writes the header. Throws what the system throws. */
  async begin(header: Buffer): Promise<void> {
    this.#builder.use(this.#context.buffers.take(header.length + 256 > smallBuffer ? largeBuffer : smallBuffer));
    this.#builder.append("h", 0, header);
    this.#seal();
    await this.#writeBatch();
  }

  write(stream: "o" | "e" | "i", bytes: Uint8Array): void {
    if (this.#ended !== undefined || this.#closed) return;
    const at = this.#elapsed();
    for (let from = 0; from < bytes.length; ) {
      if (!this.#hasRoom()) {
        this.#lose(bytes.length - from);
        return;
      }
      const next = this.#builder.append(stream, at, bytes, from);
      if (next < bytes.length) this.#full();
      from = next;
    }
    this.#flushLater();
  }

  resize(size: TerminalSize): void {
    if (this.#ended !== undefined || this.#closed || !this.#hasRoom()) return;
    this.#append("r", encodeRecordingResize(size));
    this.#flushLater();
  }

  mark({ kind, text }: RecordingMarker): void {
    if (this.#ended !== undefined || this.#closed || !this.#hasRoom()) return;
    this.#append("m", encodeRecordingJson({ kind: kind.slice(0, maxKind), text: text.slice(0, maxText) }));
    this.#flushLater();
  }

  end(end: RecordingEnd): Promise<RecordingResult> {
    return (this.#ended ??= this.#end(end));
  }

  async settle(): Promise<void> {
    await this.#target.rename();
  }

  async discard(): Promise<void> {
    this.#release();
    await this.#target.file.close();
    await this.#target.remove();
  }

  get size(): number {
    return this.#size;
  }

  async *follow(signal: AbortSignal): AsyncGenerator<Buffer, void, void> {
    this.#following += 1;
    try {
      yield* this.#follow(signal);
    } finally {
      this.#following -= 1;
    }
  }

  #follow(signal: AbortSignal): AsyncIterable<Buffer> {
    return followFile(
      this.#target.path,
      {
        size: () => this.#size,
        over: () => this.#closed,
        wait: (listener) => {
          this.#followers.add(listener);
          return () => this.#followers.delete(listener);
        },
      },
      signal,
    );
  }

  /** What a power failure cannot take back, and its digest. */
  get synced(): { readonly bytes: number; readonly sha256: string } | undefined {
    return this.#synced;
  }

  async sync(): Promise<void> {
    if (this.#closed || !this.#unsynced) return;
    this.#unsynced = false;
    const synced = { bytes: this.#size, sha256: this.#digest.toString("hex") };
    await this.#target.file.datasync();
    this.#synced = synced;
    this.#volatile = false;
    clearTimeout(this.#volatileTimer);
    this.#volatileTimer = undefined;
    if (this.#size > synced.bytes) this.#volatileLater();
    this.#measure();
  }

  syncFailed(why: string): void {
    if (this.#closed) return;
    this.#unsynced = true;
    this.#fail(why);
  }

  #isEnding(): boolean {
    return this.#ended !== undefined;
  }

  #elapsed(): number {
    return Math.max(0, this.#context.clock.now() - this.#target.started);
  }

  /** There is room for at least a gap, a size or a byte; false where the bound is reached and gaps are allowed. */
  #hasRoom(): boolean {
    const { buffers, limits } = this.#context;
    if (this.#late && this.#impatient) return false;
    // One long gap rather than many short ones.
    if (this.#gap !== undefined && this.#waiting > limits.waiting / 4) return false;
    if (!this.#builder.ready) {
      if (this.#target.mode === "best_effort" && this.#waiting > 0 && (this.#waiting + largeBuffer > 4 * limits.waiting || buffers.out > 2 * limits.total)) return false;
      this.#builder.use(this.#flowing ? this.#large() : buffers.take(smallBuffer));
    }
    const gap = this.#gap;
    if (gap === undefined) return true;
    this.#gap = undefined;
    this.#append("g", encodeRecordingJson({ bytes: gap.bytes, why: gap.why }));
    this.#target.listener.gap({ ...gap, over: true });
    return true;
  }

  /** Memory for a chunk that lies in its pages as it will in those of the file, and ends with one. */
  #large(): Buffer {
    return this.#context.buffers.take(largeBuffer).subarray((this.#size + this.#waiting) % filePage);
  }

  #append(type: RecordingType, data: Buffer): void {
    if (this.#builder.append(type, this.#elapsed(), data) === data.length) return;
    if (this.#builder.pending > 0) this.#full();
    else if (this.#builder.ready) this.#context.buffers.release(this.#builder.unuse());
    this.#builder.use(this.#context.buffers.take(data.length + 256 > smallBuffer ? largeBuffer : smallBuffer));
    this.#builder.append(type, this.#elapsed(), data);
  }

  #lose(bytes: number): void {
    this.#lost = true;
    if (this.#gap === undefined) {
      this.#gap = { bytes: 0, why: this.#failure ?? "the disk does not keep up" };
      this.#target.listener.gap({ ...this.#gap, over: false });
    }
    this.#gap.bytes += bytes;
  }

  #flushLater(): void {
    this.#flushTimer ??= setTimeout(() => {
      this.#flushTimer = undefined;
      this.#flowing = false;
      this.#due = true;
      this.#seal();
      this.#write();
    }, this.#following > 0 ? promptFlush : this.#context.limits.flush).unref();
  }

  #full(): void {
    this.#flowing = true;
    this.#seal();
    if (this.#following > 0) this.#due = true;
    if (!this.#isTime()) {
      this.#flushLater();
      return;
    }
    clearTimeout(this.#flushTimer);
    this.#flushTimer = undefined;
    this.#write();
  }

  #seal(): void {
    if (this.#builder.pending === 0) return;
    const bytes = this.#builder.seal();
    this.#queue.push({ bytes, digest: this.#builder.chain.hash });
    this.#waiting += bytes.length;
  }

  /** Each write costs two changes of thread: a stream that flows has few large ones. */
  #isTime(): boolean {
    return this.#due || this.#behind || this.#waiting >= this.#context.limits.waiting / 2;
  }

  /** Sees to it that what waits is written. */
  #write(): void {
    if (this.#queue.length === 0) return;
    this.#lateTimer ??= this.#lateLater();
    this.#pump();
    this.#measure();
  }

  #pump(): void {
    this.#pumping ??= this.#drain().finally(() => {
      this.#pumping = undefined;
    });
  }

  async #drain(): Promise<void> {
    while (this.#queue.length > 0 && this.#isTime() && !this.#closed) {
      try {
        await this.#writeBatch();
        this.#measure();
      } catch (error) {
        this.#due = true;
        this.#fail(systemReason(error));
        if (this.#isEnding() || this.#problem !== undefined) return;
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
          setTimeout(resolve, this.#context.limits.retry).unref();
        });
        if (this.#isEnding()) return;
      }
    }
    if (this.#queue.length > 0 && !this.#closed && !this.#isEnding()) this.#flushLater();
  }

  async #writeBatch(): Promise<void> {
    const { clock, lanes, limits, buffers } = this.#context;
    const chunks = this.#queue.slice(0, batch);
    if (chunks.length === this.#queue.length) this.#due = false;
    // Where the session waits for the disk anyway, the system need not keep a copy.
    const begun = clock.now();
    const pastCache = this.#target.mode === "strict" && begun >= this.#slowUntil;
    this.#writing = chunks;
    try {
      await lanes.run(() => this.#target.file.write(chunks.map(({ bytes }) => bytes), this.#size, pastCache));
    } finally {
      this.#writing = [];
      // What waited has been given up meanwhile.
      if (this.#closed) for (const { bytes } of chunks) buffers.reuse(bytes);
    }
    if (this.#closed) return;
    const now = clock.now();
    this.#slow = pastCache && this.#behind && now - begun > chunks.length * slowChunk ? this.#slow + 1 : 0;
    if (this.#slow === slowWrites) this.#slowUntil = now + limits.sync;
    this.#queue.splice(0, chunks.length);
    for (const { bytes, digest } of chunks) {
      this.#size += bytes.length;
      this.#waiting -= bytes.length;
      this.#digest = digest;
      buffers.release(bytes);
    }
    this.#failure = undefined;
    this.#late = false;
    clearTimeout(this.#lateTimer);
    this.#lateTimer = this.#queue.length > 0 && !this.#isEnding() ? this.#lateLater() : undefined;
    this.#unsynced = true;
    this.#context.syncs.add(this);
    this.#volatileLater();
    for (const follower of this.#followers) follower();
  }

  /** However little waits: a disk that hangs must not let a quiet session run unrecorded. */
  #lateLater(): NodeJS.Timeout {
    return setTimeout(() => {
      this.#late = true;
      this.#measure();
    }, this.#context.limits.late).unref();
  }

  /** A disk that takes everything and secures nothing must not either. Where gaps are allowed there is none to make: what was written can be read. */
  #volatileLater(): void {
    if (this.#target.mode !== "strict" || this.#isEnding() || this.#closed) return;
    this.#volatileTimer ??= setTimeout(() => {
      this.#volatile = true;
      this.#measure();
    }, this.#context.limits.unsynced).unref();
  }

  /** Looks whether the session is to be held back. */
  #measure(): void {
    const { limits, buffers } = this.#context;
    const crowded = buffers.out > limits.total && this.#waiting > 0;
    const hung = this.#late || this.#volatile;
    if (this.#isEnding() || this.#closed) return;
    if (!this.#behind && (this.#waiting > limits.waiting || crowded || hung)) {
      this.#behind = true;
      const strict = this.#target.mode === "strict";
      // A disk that fails is not waited for.
      const patience = this.#failure === undefined ? limits.patience : 0;
      this.#behindTimer = setTimeout(() => this.#stalled(), strict ? limits.stall : patience).unref();
      this.#target.listener.changed();
    } else if (this.#behind && this.#waiting <= limits.waiting / 4 && !crowded && !hung) {
      this.#behind = false;
      this.#impatient = false;
      clearTimeout(this.#behindTimer);
      this.#target.listener.changed();
    }
  }

  #stalled(): void {
    if (this.#target.mode === "strict") {
      this.#fail("the disk does not keep up");
      return;
    }
    this.#impatient = true;
    this.#target.listener.changed();
  }

  #fail(why: string): void {
    this.#failure = why;
    if (this.#target.mode !== "strict" || this.#problem !== undefined) return;
    this.#problem = why;
    this.#target.listener.changed();
  }

  async #end(end: RecordingEnd): Promise<RecordingResult> {
    clearTimeout(this.#flushTimer);
    clearTimeout(this.#behindTimer);
    clearTimeout(this.#lateTimer);
    clearTimeout(this.#volatileTimer);
    this.#wake();
    const { limits, lanes, syncs } = this.#context;
    if (!this.#builder.ready) this.#builder.use(this.#context.buffers.take(smallBuffer));
    const gap = this.#gap;
    this.#gap = undefined;
    if (gap !== undefined) {
      this.#append("g", encodeRecordingJson({ bytes: gap.bytes, why: gap.why }));
      this.#target.listener.gap({ ...gap, over: true });
    }
    this.#append("x", encodeRecordingJson(end));
    this.#seal();
    const { file } = this.#target;
    const flushing = this.#flush();
    const written = await within(flushing, limits.deadline, false);
    syncs.remove(this);
    const size = this.#size;
    const result: RecordingResult = { file: this.#target.name, bytes: size, sha256: this.#digest.toString("hex"), complete: written && !this.#lost };
    // A disk that hangs is not waited for; but nothing else is done with the file until it answers.
    const closing = flushing.then(() =>
      lanes.run(async () => {
        if (!written) await file.truncate(size).catch(ignore);
        else await file.datasync().catch(ignore);
        await file.close();
      }),
    );
    await within(closing.catch(ignore), limits.deadline, undefined);
    this.#release();
    return result;
  }

  /** Writes what waits; false where that fails. */
  async #flush(): Promise<boolean> {
    await this.#pumping;
    try {
      while (this.#queue.length > 0) await this.#writeBatch();
      return true;
    } catch {
      return false;
    }
  }

  /** Gives the memory back, and lets those who follow come to their end. */
  #release(): void {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#flushTimer);
    clearTimeout(this.#behindTimer);
    clearTimeout(this.#lateTimer);
    clearTimeout(this.#volatileTimer);
    this.#context.syncs.remove(this);
    if (this.#builder.ready) {
      if (this.#builder.pending === 0) this.#builder.append("o", 0, Buffer.alloc(1));
      this.#queue.push({ bytes: this.#builder.seal(), digest: this.#digest });
    }
    for (const sealed of this.#queue.splice(0)) {
      this.#context.buffers.drop(sealed.bytes);
      // The disk may still be reading the others.
      if (!this.#writing.includes(sealed)) this.#context.buffers.reuse(sealed.bytes);
    }
    for (const follower of this.#followers) follower();
  }
}

const ignore = (): void => undefined;
