import { lineHash, readChain, readDay, type ChainLink } from "./chain-line.ts";
import { isKey, readCheckpoint, verifyCheckpoint, type CheckpointLine } from "./checkpoint.ts";
import { analyseRuns, type Teller } from "./gaps.ts";
import { readLines, type RawLine } from "./lines.ts";
import { readPruning, type Pruning } from "./pruned.ts";
import { RunBuilder, maxRuns, type Predecessor } from "./runs.ts";
import { SessionCheck } from "./sessions.ts";
import type { LogSource, LogSourceFile, Place, ServerSummary } from "./types.ts";
import { checkpointKey, saidBy, type Testimony, type Witnessed } from "./witness.ts";

type Fields = Readonly<Record<string, unknown>>;

/** What of a log is looked at, and against what. */
export interface ServerOptions {
  readonly testimony: Testimony;
  /** Files that were left out on purpose, before and after those that are looked at. */
  readonly earlier: readonly LogSourceFile[];
  readonly later: readonly LogSourceFile[];
  /** RFC 3339 bounds of what is looked at: a witness's checkpoints outside them are not missed. */
  readonly from: string | undefined;
  readonly to: string | undefined;
  readonly onProgress: (bytes: number) => void;
}

function parse(bytes: Buffer): Fields | undefined {
  try {
    const value: unknown = JSON.parse(bytes.toString("utf8"));
    return typeof value === "object" && value !== null ? (value as Fields) : undefined;
  } catch {
    return undefined;
  }
}

function predecessorOf(event: Fields): Predecessor | null {
  const { previous } = event;
  if (typeof previous !== "object" || previous === null) return null;
  const { hash, chain, n } = previous as Fields;
  return { hash: typeof hash === "string" ? hash : "", chain: typeof chain === "string" ? chain : undefined, n: typeof n === "number" ? n : undefined };
}

/** Bytes without a newline after which a file is not read on: a sparse one may have more of them than anybody waits for. */
const maxBare = 64 * 1024 * 1024;
/** One a day for longer than a log is kept; more are no gateway's. */
const maxPrunings = 10_000;

/** Verifies the log of one server. */
export class ServerCheck {
  readonly #source: LogSource;
  readonly #options: ServerOptions;
  readonly #tell: Teller;
  readonly #runs = new RunBuilder();
  readonly #sessions: SessionCheck;
  readonly #prunings: Pruning[] = [];
  /** The first of them that no checkpoint signs, and that no witness has one behind. */
  #unsignedPruning = 0;
  #unprovenPruning = 0;
  readonly #matched = new Set<string>();
  /** In the order of their appearance. */
  readonly #chains = new Map<string, number>();
  /** Those that were closed, and the latest that has a checkpoint. */
  readonly #closed = new Set<string>();
  #signed = -1;
  /** The line before was of another day than its file. */
  #astray = false;
  /** The first file that has a line. */
  #begin: string | undefined;
  #first = true;
  #firstSeq: number | undefined;
  /** A checkpoint of which a witness has the same in another line: the next line of the log tells whose was changed. */
  #doubt: { readonly place: Place; readonly hash: string; readonly witnessed: Witnessed } | undefined;
  #lines = 0;
  #checkpoints = 0;
  /** The key that has to sign next; undefined before anything has announced one. */
  #key: string | undefined;
  #proven: ServerSummary["proven"];
  #unproven = 0;

  constructor(source: LogSource, options: ServerOptions, tell: Teller) {
    this.#source = source;
    this.#options = options;
    this.#tell = tell;
    this.#sessions = new SessionCheck(source, tell);
  }

  async run(): Promise<ServerSummary> {
    const { files, server, problems = [] } = this.#source;
    const { earlier, later, from } = this.#options;
    for (const { file, text } of problems) this.#tell.finding("added", { file, line: 1 }, text);
    await this.#before();
    for (const [index, file] of files.entries()) await this.#file(file, index === files.length - 1 && later.length === 0);
    await this.#after();
    this.#settle(undefined);
    const pruning = analyseRuns(this.#runs.runs, this.#prunings, earlier.length > 0, this.#tell);
    if (this.#runs.full) this.#tell.finding("many", undefined, `the log is broken in more than ${maxRuns} places`);
    this.#tellPrunings(pruning);
    this.#missed(pruning);
    const oldest = await this.#oldest();
    const taken = this.#prunings.reduce((latest, { signed, before }) => (signed && before > latest ? before : latest), "");
    await this.#sessions.finish({
      over: (chain) => this.#closed.has(chain) || (this.#chains.get(chain) ?? 0) < this.#signed,
      pruned: ({ file }) => file <= oldest && file.slice(0, 10) < taken.slice(0, 10),
      partial: earlier.length > 0 || pruning !== undefined,
      later: later.length > 0,
    });
    return {
      server,
      files: files.length,
      lines: this.#lines,
      recordings: this.#sessions.recordings,
      checkpoints: this.#checkpoints,
      chains: this.#chains.size,
      proven: this.#proven,
      from: earlier.length > 0 ? from?.slice(0, 10) : undefined,
      unproven: this.#unproven,
    };
  }

  /** The first day that is still there: pruning takes one after the other, each behind its recordings, so none after this one lacks any. */
  async #oldest(): Promise<string> {
    for (const file of [...this.#options.earlier, ...this.#source.files]) {
      for await (const piece of file.read()) if (piece.byteLength > 0) return file.name;
    }
    return "~";
  }

  /** The last line before what is looked at: the first one has to follow it. */
  async #before(): Promise<void> {
    for (const file of this.#options.earlier.toReversed()) {
      let last: RawLine | undefined;
      let line = 0;
      for await (const batch of readLines(this.#pieces(file))) {
        for (const raw of batch) {
          line += 1;
          if (raw.whole) last = raw;
        }
      }
      if (!last) continue;
      this.#bound(last, { file: file.name, line });
      return;
    }
  }

  /** The first line behind what is looked at: it has to follow the last one. */
  async #after(): Promise<void> {
    for (const file of this.#options.later) {
      for await (const batch of readLines(file.read())) {
        const [first] = batch;
        if (!first) continue;
        if (first.whole) this.#bound(first, { file: file.name, line: 1 });
        return;
      }
    }
  }

  #bound({ bytes, cut }: RawLine, place: Place): void {
    const link = cut ? undefined : readChain(bytes);
    this.#settle(link);
    const event = link?.n === 0 ? parse(bytes) : undefined;
    this.#runs.add(link, lineHash(bytes), place, event?.["event"] === "audit.start" ? predecessorOf(event) : undefined);
  }

  async #file(file: LogSourceFile, last: boolean): Promise<void> {
    let line = 0;
    this.#astray = false;
    for await (const batch of readLines(this.#progress(file))) {
      for (const raw of batch) {
        line += 1;
        this.#begin ??= file.name;
        const place = { file: file.name, line };
        if (!raw.whole && last) this.#tell.note("torn", place, `${raw.bytes.length} bytes without an end: a write under way, or torn by a crash`);
        else {
          if (!raw.whole) this.#tell.finding("changed", place, "the file ends within this line, and is not the last one");
          await this.#line(raw, place);
        }
      }
    }
  }

  async *#progress(file: LogSourceFile): AsyncGenerator<Uint8Array, void, void> {
    for await (const piece of this.#pieces(file)) {
      yield piece;
      this.#options.onProgress(piece.byteLength);
    }
  }

  async *#pieces(file: LogSourceFile): AsyncGenerator<Uint8Array, void, void> {
    let bare = 0;
    for await (const piece of file.read()) {
      yield piece;
      const newline = piece.lastIndexOf(0x0a);
      bare = newline < 0 ? bare + piece.byteLength : piece.byteLength - newline - 1;
      if (bare <= maxBare) continue;
      this.#tell.finding("many", undefined, `${file.name} has more than ${maxBare} bytes without an end of a line, and is not read on`);
      return;
    }
  }

  async #line({ bytes, cut }: RawLine, place: Place): Promise<void> {
    this.#lines += 1;
    this.#unproven += 1;
    const link = cut ? undefined : readChain(bytes);
    const hash = lineHash(bytes);
    this.#settle(link);
    if (link) this.#day(readDay(bytes, link), place);
    let previous: Predecessor | null | undefined;
    if (link && !this.#runs.full && !this.#chains.has(link.id)) this.#chains.set(link.id, this.#chains.size);
    if (link && (bytes.includes('"event":"audit.') || bytes.includes('"event":"session.'))) {
      const event = parse(bytes);
      if (event?.["event"] === "audit.start" && link.n === 0) {
        previous = predecessorOf(event);
        this.#start(event, place);
      } else if (event) await this.#special(event, link, hash, place);
    }
    this.#runs.add(link, hash, place, previous);
  }

  #settle(next: ChainLink | undefined): void {
    const doubt = this.#doubt;
    this.#doubt = undefined;
    if (!doubt) return;
    const { witness, line } = doubt.witnessed;
    if (next?.prev === doubt.hash) this.#tell.note("witness", { file: witness, line }, "this checkpoint says what the log's does, and the rest of its line was changed");
    else this.#tell.finding("witness", doubt.place, `${witness}:${line} saw another line here, with the same checkpoint`);
  }

  #start(event: Fields, place: Place): void {
    const { key, torn, key_missing: missing } = event;
    if (!isKey(key)) {
      this.#tell.finding("checkpoint", place, "the process does not say with which key it signs");
      return;
    }
    if (this.#key !== undefined && key !== this.#key) {
      const own = missing === true ? "; the process itself says that its key file was gone" : "";
      this.#tell.finding("checkpoint", place, `the key that signs from here on is not the one that the last checkpoint announced${own}`);
    }
    this.#key = key;
    if (typeof torn === "object" && torn !== null) {
      const { file, bytes } = torn as Fields;
      this.#tell.note("torn", place, `${typeof bytes === "number" ? bytes : "some"} bytes at the end of ${typeof file === "string" ? file.slice(0, 64) : "a file"} were torn by a crash and cut off`);
    }
  }

  async #special(event: Fields, link: ChainLink, hash: string, place: Place): Promise<void> {
    switch (event["event"]) {
      case "audit.checkpoint":
        this.#checkpoint(event, link, hash, place);
        break;
      case "audit.pruned":
        this.#pruned(event, place);
        break;
      case "session.start":
        this.#sessions.start(event, link.id, place);
        break;
      case "session.digest":
        this.#sessions.digest(event);
        break;
      case "session.gap":
        this.#sessions.gap(event, place);
        break;
      case "session.end":
        await this.#sessions.end(event, place);
        break;
      default:
    }
  }

  #checkpoint(event: Fields, link: ChainLink, hash: string, place: Place): void {
    const checkpoint = readCheckpoint(event, link);
    this.#checkpoints += 1;
    if (!checkpoint || checkpoint.server !== this.#source.server) {
      this.#tell.finding("checkpoint", place, "this is not a checkpoint of this log");
      return;
    }
    const id = checkpointKey(this.#source.server, link.id, link.n);
    const witnessed = this.#options.testimony.checkpoints.get(id);
    // The witness's line has been verified; this is the same.
    const same = witnessed?.said === saidBy(checkpoint);
    if (witnessed?.hash !== hash && !verifyCheckpoint(checkpoint, checkpoint.signature)) {
      this.#tell.finding("checkpoint", place, "the signature is not right");
    } else {
      this.#signed = Math.max(this.#signed, this.#chains.get(link.id) ?? 0);
      if (checkpoint.last && this.#chains.has(link.id)) this.#closed.add(link.id);
      for (const pruning of this.#prunings.slice(this.#unsignedPruning)) pruning.signed = true;
      this.#unsignedPruning = this.#prunings.length;
    }
    if (this.#first) this.#announced(checkpoint, place);
    this.#first = false;
    if (this.#key !== undefined && checkpoint.key !== this.#key) this.#tell.finding("checkpoint", place, "it is signed with another key than the one that was announced before it");
    this.#key = checkpoint.next;
    if (!witnessed) return;
    this.#matched.add(id);
    if (!same) {
      this.#tell.finding("witness", place, `${witnessed.witness}:${witnessed.line} saw another checkpoint here: the log before it was written anew`);
      return;
    }
    if (witnessed.hash !== hash) this.#doubt = { place, hash, witnessed };
    this.#proven = { time: checkpoint.time, witness: witnessed.witness, place };
    this.#unproven = 0;
    for (const pruning of this.#prunings.slice(this.#unprovenPruning)) pruning.proven = true;
    this.#unprovenPruning = this.#prunings.length;
  }

  /** The first checkpoint that is left: a witness may know which key had to sign it. */
  #announced({ seq, key }: CheckpointLine, place: Place): void {
    this.#firstSeq = seq;
    const before = this.#options.testimony.servers.get(this.#source.server)?.findLast((one) => one.seq < seq);
    if (!before) return;
    const where = `${before.witness}:${before.line}`;
    if (before.seq < seq - 1) this.#tell.note("witness", place, `the last checkpoint before this one that a witness has is ${before.seq} (${where}), and this is ${seq}: that its key is the gateway's own is not proven`);
    else if (before.next !== key) this.#tell.finding("witness", place, `${where} saw another key announced for this checkpoint`);
  }

  /**
   * A file is made for the line that it begins with, and has none of later days; behind its first one there may be earlier ones, where the clock was set back.
   * Anything else was renamed, or moved over midnight.
   */
  #day(day: string | undefined, place: Place): void {
    const own = place.file.slice(0, 10);
    const astray = day !== undefined && (day > own || (place.line === 1 && day < own));
    if (astray && !this.#astray) this.#tell.finding("moved", place, `this line is of ${day}: it is in the file of another day, or the file has another day's name`);
    this.#astray = astray;
  }

  #pruned(event: Fields, place: Place): void {
    const pruning = readPruning(event, place);
    if (typeof pruning === "string") this.#tell.finding("pruned", place, `the log never wrote this pruning: ${pruning}`);
    else if (this.#prunings.length < maxPrunings) this.#prunings.push(pruning);
    else this.#tell.finding("many", place, `there are more than ${maxPrunings} prunings: this one is not looked at`);
  }

  /** Each of them, so that whoever reads this can ask for it. */
  #tellPrunings(joined: Pruning | undefined): void {
    const { testimony, later } = this.#options;
    for (const one of this.#prunings) {
      const unproven = testimony.asked > 0 && !one.proven ? "; no witness has a checkpoint behind it, so it is not proven that the gateway did it" : "";
      this.#tell.note("pruned", one.place, `everything before ${one.before} was pruned at ${one.time} (${one.retention})${unproven}`);
    }
    if (joined && !joined.signed && later.length === 0) this.#tell.finding("pruned", joined.place, "what was pruned is gone, and no checkpoint signs the pruning: the log signs it first");
  }

  /** What a witness saw and the log does not have. Only days before the log's beginning may be missing, and only those that the pruning behind which it begins says went. */
  #missed(pruning: Pruning | undefined): void {
    const { testimony, from, to } = this.#options;
    const day = (this.#begin ?? "").slice(0, 10);
    // It can begin before what was pruned: a crash may have left some of that.
    const begin = pruning === undefined ? "" : day < pruning.before ? day : pruning.before.slice(0, 10);
    const all = testimony.servers.get(this.#source.server) ?? [];
    const missed = all.filter(({ server, chain, n, time }) => {
      const outside = time.slice(0, 10) < begin || (from !== undefined && time < from) || (to !== undefined && time >= to);
      return !this.#matched.has(checkpointKey(server, chain, n)) && !outside;
    });
    const end = this.#runs.runs.at(-1)?.end;
    const seq = this.#firstSeq;
    const late = seq === undefined ? undefined : all.find((one) => one.seq >= seq && one.time.slice(0, 10) < begin && !this.#matched.has(checkpointKey(one.server, one.chain, one.n)));
    if (late) this.#tell.finding("witness", end, `${late.witness}:${late.line} saw checkpoint ${late.seq} on a day that is pruned, and the log goes on with ${seq ?? 0}`);
    const [first] = missed;
    if (!first) {
      if (testimony.asked > 0 && this.#matched.size === 0 && from === undefined && to === undefined) this.#tell.finding("witness", end, "no witness has seen a checkpoint that is in this log");
      return;
    }
    const { chain, time, n } = first;
    const more = missed.length === 1 ? "" : `, and ${missed.length - 1} more up to ${missed.at(-1)?.time ?? time}`;
    this.#tell.finding("witness", end, `${first.witness}:${first.line} saw a checkpoint of ${time} (line ${n} of chain ${chain})${more}, which this log does not have`, { chain, from: n, to: n });
  }
}
