import { rm, stat } from "node:fs/promises";
import { randomHex, systemErrorCode, version, type Clock, type Random } from "@gatehouse/core/base";
import { withLock, writeFileAtomic, type ClientHome, type Environment } from "@gatehouse/core/client/lean";
import { agentPlace, makeAgentDirectory, type AgentIdentityAnswer, type AgentPlace } from "@gatehouse/core/client/local-agent";
import { serveControl } from "../control/index.ts";
import type { AgentContext } from "../parts.ts";
import { openSettings } from "../settings/index.ts";
import { agentBuild, recordAgent, startMark } from "../start/index.ts";
import { controlHandlers } from "./handlers.ts";
import { watchIdle } from "./idle.ts";
import { openParts } from "./parts.ts";
import { makeRoom } from "./replace.ts";

/** How the agent is run. */
export interface RunOptions {
  readonly env: Environment;
  readonly home: ClientHome;
  readonly clock: Clock;
  readonly random: Random;
  /** One line of the log. */
  readonly log: (text: string) => void;
  /** Told once commands can reach it. */
  readonly onReady?: (identity: AgentIdentityAnswer, place: AgentPlace) => void;
  /** Aborted where it shall end. */
  readonly signal: AbortSignal;
  /** ms after which it ends where it holds nothing that would be missed. */
  readonly idleTime?: number;
}

/** ms. */
const usualIdleTime = 15 * 60_000;
/** How often it looks whether it is needed, and can be reached, ms. */
const lookTime = 30_000;
/** ms to wait for another process that starts an agent. */
const lockWait = 20_000;

/** An agent that can be reached. */
interface RunningAgent {
  /** Why it shall end. */
  readonly ending: Promise<string>;
  close(): Promise<void>;
}

/** Which socket is at a path: what is there later may be another's. Undefined where none is, or where sockets are no files. */
async function socketAt(path: string): Promise<number | undefined> {
  if (process.platform === "win32") return undefined;
  const info = await stat(path).catch((error: unknown) => {
    if (systemErrorCode(error) === "ENOENT") return undefined;
    throw error;
  });
  return info?.ino;
}

/** Calls `onGone` where the socket is no longer the one that was put there: nobody can reach this agent then, and the next command starts another. */
async function watchSocket(path: string, onGone: () => void, onLook: () => Promise<void>): Promise<{ close(): void }> {
  const own = await socketAt(path);
  const look = (): void => {
    Promise.all([socketAt(path), onLook()]).then(
      ([found]) => (found === own ? undefined : onGone()),
      () => onGone(),
    );
  };
  const timer = setInterval(look, lookTime);
  return { close: () => clearInterval(timer) };
}

async function begin(context: AgentContext, { signal, onReady, idleTime = usualIdleTime }: RunOptions): Promise<RunningAgent> {
  const { place, clock, log } = context;
  const build = await agentBuild();
  const settings = await openSettings(context.home, log);
  const parts = await openParts(context, settings, await makeRoom(place, build, log));

  const identity = { version, build, pid: process.pid, started: clock.now() };
  let end: (reason: string) => void = () => undefined;
  const ending = new Promise<string>((resolve) => (end = resolve));
  signal.addEventListener("abort", () => end("told to stop"), { once: true });
  if (signal.aborted) end("told to stop");

  let left: Promise<void> | undefined;
  // Once, and the control socket last: while that is there no other agent puts its own in the place of what is being removed.
  const leave = (): Promise<void> => (left ??= parts.ssh.close().finally(() => control.leave()));

  // A locked agent that ended would be as good as unlocked.
  const isIdle = (): boolean => !parts.lock.isLocked && parts.logins.isIdle && parts.ssh.isIdle;
  const idle = watchIdle({ clock, time: idleTime, interval: Math.min(lookTime, idleTime), isIdle, onEnd: () => end("idle") });
  const handlers = controlHandlers({
    identity,
    parts,
    settings,
    sshSocket: place.ssh,
    clients: () => control.clients + parts.ssh.clients,
    idleExit: () => idle.end,
    isLeaving: () => left !== undefined,
    async leave() {
      await leave();
      end("told to stop, or to make room");
    },
  });
  const secret = place.secret === undefined ? undefined : randomHex(context.random, 32);
  // Before the pipe is there: who finds it has to find this too.
  if (place.secret !== undefined) await writeFileAtomic(place.secret, `${secret ?? ""}\n`, 0o600);
  const control = await serveControl({ path: place.control, secret, random: context.random, handlers, log, onRequest: () => idle.touch() });
  const watch = await watchSocket(place.control, () => end("its socket is gone"), () => settings.refresh());
  await recordAgent(place);
  log(`version ${version}, build ${build}, listens at ${place.control}`);
  onReady?.(identity, place);
  return {
    ending,
    async close() {
      idle.close();
      watch.close();
      await leave();
      await control.close();
      await parts.logins.close();
    },
  };
}

/**
 * Runs the agent of a home until it is told to stop, another takes its place, or nobody needs it. Resolves with the reason. Throws `already_exists` where one of this
 * build runs, `access_denied` where its place is not this person's alone, `internal` where it cannot listen.
 */
export async function runAgent(options: RunOptions): Promise<string> {
  const { env, home, clock, random, log } = options;
  const place = agentPlace(env, home);
  process.umask(0o077);
  await makeAgentDirectory(place.directory);
  let agent: RunningAgent | undefined;
  try {
    agent = await withLock(place.lock, { wait: lockWait, purpose: "start the local agent" }, () => begin({ env, home, place, clock, random, log }, options));
  } finally {
    await rm(startMark(place), { force: true });
  }
  const reason = (await agent?.ending) ?? "";
  await agent?.close();
  log(`ends: ${reason}`);
  return reason;
}
