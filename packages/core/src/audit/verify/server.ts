import { describeDuration } from "../../base/index.ts";
import { lineHash, readChain, type ChainLink } from "./chain-line.ts";
import { isKey, readCheckpoint, verifyCheckpoint } from "./checkpoint.ts";
import { analyseRuns, type Pruning, type Teller } from "./gaps.ts";
import { readLines, type RawLine } from "./lines.ts";
import { RunBuilder, maxRuns, type Predecessor } from "./runs.ts";
import { SessionCheck } from "./sessions.ts";
import type { LogSource, LogSourceFile, Place, ServerSummary } from "./types.ts";
import { checkpointKey, type Testimony } from "./witness.ts";

type Fields = Readonly<Record<string, unknown>>;

/** What of a log is looked at, and against what. */
export interface ServerOptions {
  readonly testimony: Testimony;
  /** Earlier files were left out on purpose. */
  readonly partialStart: boolean;
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

/** Verifies the log of one server. */
export class ServerCheck {
  readonly #source: LogSource;
  readonly #options: ServerOptions;
  readonly #tell: Teller;
  readonly #runs = new RunBuilder();
  readonly #sessions: SessionCheck;
  readonly #prunings: Pruning[] = [];
  readonly #matched = new Set<string>();
  readonly #chains = new Set<string>();
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
    const { files, server } = this.#source;
    for (const [index, file] of files.entries()) await this.#file(file, index === files.length - 1);
    analyseRuns(this.#runs.runs, this.#prunings, this.#options.partialStart, this.#tell);
    if (this.#runs.full) this.#tell.finding("many", undefined, `the log is broken in more than ${maxRuns} places`);
    this.#missed();
    this.#sessions.finish();
    return {
      server,
      files: files.length,
      lines: this.#lines,
      recordings: this.#sessions.recordings,
      checkpoints: this.#checkpoints,
      chains: this.#chains.size,
      proven: this.#proven,
      unproven: this.#unproven,
    };
  }

  async #file(file: LogSourceFile, last: boolean): Promise<void> {
    let line = 0;
    for await (const batch of readLines(this.#progress(file))) {
      for (const raw of batch) {
        line += 1;
        const place = { file: file.name, line };
        if (!raw.whole && last) this.#tell.note("torn", place, `${raw.bytes.length} bytes without an end: a write under way, or torn by a crash`);
        else await this.#line(raw, place);
      }
    }
  }

  async *#progress(file: LogSourceFile): AsyncGenerator<Uint8Array, void, void> {
    for await (const piece of file.read()) {
      yield piece;
      this.#options.onProgress(piece.byteLength);
    }
  }

  async #line({ bytes, cut }: RawLine, place: Place): Promise<void> {
    this.#lines += 1;
    this.#unproven += 1;
    const link = cut ? undefined : readChain(bytes);
    const hash = lineHash(bytes);
    let previous: Predecessor | null | undefined;
    if (link && (bytes.includes('"event":"audit.') || bytes.includes('"event":"session.'))) {
      const event = parse(bytes);
      if (event?.["event"] === "audit.start" && link.n === 0) {
        previous = predecessorOf(event);
        this.#start(event, link, place);
      } else if (event) await this.#special(event, link, hash, place);
    }
    this.#runs.add(link, hash, place, previous);
  }

  #start(event: Fields, link: ChainLink, place: Place): void {
    this.#chains.add(link.id);
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
      this.#tell.note("torn", place, `${String(Number(bytes))} bytes at the end of ${typeof file === "string" ? file : "a file"} were torn by a crash and cut off`);
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
        this.#sessions.start(event, place);
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
    const same = witnessed?.hash === hash;
    if (!same && !verifyCheckpoint(checkpoint, checkpoint.signature)) this.#tell.finding("checkpoint", place, "the signature is not right");
    else if (this.#key !== undefined && checkpoint.key !== this.#key) this.#tell.finding("checkpoint", place, "it is signed with another key than the one that was announced before it");
    this.#key = checkpoint.next;
    if (!witnessed) return;
    this.#matched.add(id);
    if (!same) {
      this.#tell.finding("witness", place, `${witnessed.witness}:${witnessed.line} saw another checkpoint here: the log before it was written anew`);
      return;
    }
    this.#proven = { time: checkpoint.time, witness: witnessed.witness, place };
    this.#unproven = 0;
  }

  #pruned(event: Fields, place: Place): void {
    const { files, before, time, retention_ms: retention } = event;
    if (!Array.isArray(files) || typeof before !== "string" || typeof time !== "string") return;
    const hashes = new Set((files as readonly unknown[]).flatMap((file) => (typeof file === "object" && file !== null ? [(file as Fields)["hash"]] : [])).filter((hash) => typeof hash === "string"));
    const kept = typeof retention === "number" ? retention : 0;
    this.#prunings.push({ place, time, hashes, before, retention: `retention ${describeDuration(kept)}` });
    if (Date.parse(time) - Date.parse(before) < kept) {
      this.#tell.finding("pruned", place, `days before ${before} were pruned at ${time}, younger than the retention that this says itself`);
    }
  }

  /** What a witness saw and the log does not have. */
  #missed(): void {
    const { testimony, from, to } = this.#options;
    const pruned = this.#prunings.reduce((latest, { before }) => (before > latest ? before : latest), "");
    const missed = [...testimony.checkpoints].flatMap(([id, witnessed]) => {
      const { server, time } = witnessed.checkpoint;
      const outside = time < pruned || (from !== undefined && time < from) || (to !== undefined && time >= to);
      return server === this.#source.server && !this.#matched.has(id) && !outside ? [witnessed] : [];
    });
    const [first] = missed;
    if (!first) return;
    const last = missed.at(-1) ?? first;
    const { chain, time } = first.checkpoint;
    const more = missed.length === 1 ? "" : `, and ${missed.length - 1} more up to ${last.checkpoint.time}`;
    const end = this.#runs.runs.at(-1)?.end;
    this.#tell.finding("witness", end, `${first.witness}:${first.line} saw a checkpoint of ${time} (line ${chain.n} of chain ${chain.id})${more}, which this log does not have`, {
      chain: chain.id,
      from: chain.n,
      to: chain.n,
    });
  }
}
