/** `tsh proxy`: the gateway as a process. */
import { GatehouseError, describeDuration, escapeLine } from "@gatehouse/core/base";
import type { Output } from "@gatehouse/core/client/terminal";
import { defaultDataDir, hostFacts } from "@gatehouse/core/config";
import { openLog, startGateway, type Gateway, type GatewayLog } from "@gatehouse/core/proxy";
import type { GatewayFlags } from "./flags.ts";
import { readGatewayConfig } from "./read-config.ts";
import { readinessJson, readinessText } from "./readiness.ts";
import { listenAlone } from "../signals.ts";

export type { GatewayFlags } from "./flags.ts";

/** What the gateway has of its process. */
export interface GatewayIo {
  readonly output: Output;
  /** Calls the listener for every one of these signals; returns the function that stops it. */
  onSignal(signals: readonly NodeJS.Signals[], listener: (signal: NodeJS.Signals) => void): () => void;
}

/** The process's own signals. What listened for them before ends a client command at once; a gateway drains instead. */
export function processSignals(): GatewayIo["onSignal"] {
  return (signals, listener) => {
    for (const signal of signals) listenAlone(signal, listener);
    return () => {
      for (const signal of signals) process.off(signal, listener);
    };
  };
}

/** Waits for a signal to stop, then closes; a second signal stops waiting. Returns the exit code. */
async function serve(gateway: Gateway, flags: GatewayFlags, stop: StopSignals, io: GatewayIo): Promise<number> {
  await stop.first;
  io.output.stderr.write(`stopping: what is under way has ${describeDuration(flags.drainMs)} to end; a second signal ends it now\n`);
  const closed = gateway.close({ drainMs: flags.drainMs }).then(() => 0);
  return Promise.race([closed, stop.second.then(() => 1)]);
}

interface StopSignals {
  readonly first: Promise<void>;
  readonly second: Promise<void>;
  release(): void;
}

function stopSignals(io: GatewayIo): StopSignals {
  let firstCame = (): void => undefined;
  let secondCame = (): void => undefined;
  const first = new Promise<void>((resolve) => (firstCame = resolve));
  const second = new Promise<void>((resolve) => (secondCame = resolve));
  let count = 0;
  const release = io.onSignal(["SIGTERM", "SIGINT"], () => {
    count += 1;
    if (count === 1) firstCame();
    else secondCame();
  });
  return { first, second, release };
}

/**
 * Runs a gateway until it is told to stop. Readiness goes to standard output, warnings to standard error, the log where the configuration says.
 * Resolves with the exit code: 0 after a stop in good order, 1 after a hurried one. Throws what keeps it from starting.
 */
export async function runGateway(flags: GatewayFlags, io: GatewayIo): Promise<number> {
  const started = performance.now();
  const stop = stopSignals(io);
  let log: GatewayLog | undefined;
  let stopReopening = (): void => undefined;
  try {
    const config = await readGatewayConfig(flags);
    for (const warning of config.warnings) io.output.stderr.write(`${io.output.style.yellow("warning:")} ${escapeLine(warning)}\n`);
    const opened = await openLog(config.log);
    log = opened;
    stopReopening = io.onSignal(["SIGHUP"], () => opened.reopen());
    const gateway = await startGateway(config, { logger: opened.logger });
    const facts = { dataDir: config.dataDir, isDefaultDataDir: config.dataDir === defaultDataDir(hostFacts()), took: performance.now() - started };
    io.output.stdout.write(flags.format === "json" ? readinessJson(gateway, facts) : readinessText(gateway, facts));
    return await serve(gateway, flags, stop, io);
  } catch (error) {
    // To a client "unavailable" is a gateway out of reach, with an exit code of its own; this is the gateway.
    if (error instanceof GatehouseError && error.code === "unavailable") throw new GatehouseError("internal", error.message, { hint: error.hint, cause: error });
    throw error;
  } finally {
    stop.release();
    stopReopening();
    log?.close();
  }
}
