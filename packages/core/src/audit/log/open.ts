import { join } from "node:path";
import { GatehouseError, randomHex, systemRandom, version, type Clock, type Logger, type Random } from "../../base/index.ts";
import { auditEvents } from "../events.ts";
import type { AuditEventInput, OwnAuditLog } from "../types.ts";
import { openWitnesses, type WitnessOptions } from "../witnesses/index.ts";
import { createChain } from "./chain.ts";
import { createCheckpoints } from "./checkpoints.ts";
import { createChainedLog, unavailable } from "./log.ts";
import { openRatchet, type Ratchet } from "./ratchet.ts";
import { startRetention } from "./retention.ts";
import { isInTail } from "./tail.ts";
import { createWriter, type Ending } from "./writer.ts";

/** Where the log is and how safe it is. */
export interface AuditLogOptions {
  /** Files are `<directory>/<serverId>/YYYY-MM-DD.00:00:00.log`; `<directory>/events.log` links to the current one. Made (0700) if missing. */
  readonly directory: string;
  readonly serverId: string;
  readonly clock: Clock;
  readonly logger: Logger;
  /**
   * `group`: an event counts as written when write(2) took it, and is on the disk within 100 ms. `strict`: it is on the disk first
   * (one that the disk refused may still be in the log).
   */
  readonly sync: "group" | "strict";
  readonly random?: Random | undefined;
  /** How often a checkpoint is signed where something was written, ms; a minute by default. */
  readonly checkpointMs?: number | undefined;
  /** Who else gets the checkpoints. */
  readonly witnesses?: readonly WitnessOptions[] | undefined;
  /** Days that ended longer ago than this (ms) are pruned; 0 or absent: none ever. */
  readonly retentionMs?: number | undefined;
  /** This machine's name, for witnesses that want one. */
  readonly hostname?: string | undefined;
}

const minute = 60_000;

/** Ties a chain to what was there before it. */
function firstEvent(serverId: string, { tail, torn }: Ending, ratchet: Ratchet): AuditEventInput {
  const previous = tail && { file: tail.file, hash: tail.hash, ...(tail.chain ? { chain: tail.chain.id, n: tail.chain.n } : {}) };
  return {
    ...auditEvents.auditStart,
    server_id: serverId,
    version,
    key: ratchet.publicKey,
    previous,
    torn,
    ...(!ratchet.found && tail?.chain ? { key_missing: true } : {}),
  };
}

/**
 * Opens the audit log for appending, after cutting off a line that a crash has torn, and begins this process's chain. Throws `unavailable`
 * where that cannot be done, and `bad_parameter` for a server id that is no file name.
 */
export async function openAuditLog(options: AuditLogOptions): Promise<OwnAuditLog> {
  const { clock, sync, logger, serverId, directory, random = systemRandom } = options;
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/.test(serverId)) throw new GatehouseError("bad_parameter", `"${serverId}" is not a server id`);
  const folder = join(directory, serverId);
  const witnesses = await openWitnesses(options.witnesses ?? [], { host: options.hostname ?? "", clock, logger });
  const writer = createWriter({ directory, serverId, random, logger });
  let ending: Ending;
  let ratchet: Ratchet;
  try {
    ending = await writer.open(clock.now());
    ratchet = await openRatchet({ path: join(folder, "checkpoint.key"), announced: (key) => isInTail(folder, `"next":"${key}"`) });
  } catch (error) {
    await writer.close().catch(() => undefined);
    throw error instanceof GatehouseError ? error : unavailable(error);
  }
  if (!ratchet.found && ending.tail?.chain) logger.error({ folder }, "the key of the audit log's checkpoints was gone: a new one was made, which no checkpoint has announced");
  const chain = createChain(randomHex(random, 8), ending.tail?.hash ?? "");
  const log = createChainedLog({ writer, chain, first: () => firstEvent(serverId, ending, ratchet), clock, sync, logger, onWritten: (lines) => checkpoints.written(lines) });
  const checkpoints = createCheckpoints({ log, ratchet, serverId, intervalMs: options.checkpointMs ?? minute, clock, logger, onCheckpoint: (line) => witnesses.add(line) });
  log.begin();
  const retentionMs = options.retentionMs ?? 0;
  const retention =
    retentionMs > 0 ? startRetention({ directory, serverId, retentionMs, log, checkpoint: () => checkpoints.now(), position: () => writer.position(), clock, logger }) : undefined;
  let closing: Promise<void> | undefined;
  async function close(): Promise<void> {
    const finished = log.finish();
    await retention?.close();
    await finished;
    await checkpoints.close();
    await witnesses.close();
    await log.close();
  }
  return {
    emit(event) {
      const written = log.emit(event);
      if (event.event === "session.end") checkpoints.soon();
      return written;
    },
    status: () => ({ chain: { id: chain.id, lines: chain.next.n }, ...checkpoints.status(), witnesses: witnesses.status() }),
    position: () => writer.position(),
    precede: (events) => checkpoints.precede(events),
    checkpoint: () => checkpoints.now(),
    prune: () => retention?.prune() ?? Promise.resolve(),
    close: () => (closing ??= close()),
  };
}
