import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";

/** How a command ended and what it said. */
export interface Outcome {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** How to run a command. */
export interface RunOptions {
  /** The whole environment of the child: nothing is inherited but what is here. */
  readonly env?: NodeJS.ProcessEnv;
  readonly input?: string | Buffer;
  readonly cwd?: string;
  /** ms after which the child is killed; then `code` is null. */
  readonly timeout?: number;
}

const underWay = new Set<ChildProcess>();

/** Kills what {@link run} has started and has not ended, and waits for it: nothing writes any more. */
export async function endCommands(): Promise<void> {
  for (const child of [...underWay]) {
    if (child.exitCode !== null || child.signalCode !== null) continue;
    child.kill("SIGKILL");
    await once(child, "close");
  }
}

/** Runs a command without a terminal and gathers what it says. */
export async function run(command: string, args: readonly string[], options: RunOptions = {}): Promise<Outcome> {
  const child = spawn(command, args, { env: options.env ?? process.env, cwd: options.cwd, stdio: ["pipe", "pipe", "pipe"] });
  const stdout: Buffer[] = [];
  const stderr: Buffer[] = [];
  child.stdout.on("data", (chunk: Buffer) => stdout.push(chunk));
  child.stderr.on("data", (chunk: Buffer) => stderr.push(chunk));
  // A child that ends before it has read its input is not an error of the test's.
  child.stdin.on("error", () => undefined);
  child.stdin.end(options.input);
  const timer = setTimeout(() => child.kill("SIGKILL"), options.timeout ?? 120_000);
  underWay.add(child);
  try {
    const [code, signal] = (await once(child, "close")) as [number | null, NodeJS.Signals | null];
    return { code, signal, stdout: Buffer.concat(stdout).toString(), stderr: Buffer.concat(stderr).toString() };
  } finally {
    clearTimeout(timer);
    underWay.delete(child);
  }
}

/** A child ended, or said nothing of what was waited for. */
export class NotSaid extends Error {
  /** All that it wrote to standard error. */
  readonly stderr: string;
  constructor(message: string, stdout: string, stderr: string) {
    super(`${message}\nstdout:\n${stdout}\nstderr:\n${stderr}`);
    this.stderr = stderr;
  }
}

/** A child that stays: its output so far, and a wait for something in it. */
export interface Running {
  readonly child: ChildProcess;
  stdout(): string;
  stderr(): string;
  /** Resolves with the match; rejects with all output when the child ends or `timeout` ms pass first. */
  waitFor(pattern: RegExp, stream: "stdout" | "stderr", timeout?: number): Promise<RegExpMatchArray>;
  /** Sends a signal and waits for the end; SIGKILL after a minute. */
  stop(signal?: NodeJS.Signals): Promise<{ readonly code: number | null; readonly signal: NodeJS.Signals | null }>;
  readonly ended: Promise<{ readonly code: number | null; readonly signal: NodeJS.Signals | null }>;
}

/** Starts a command that stays. */
export function start(command: string, args: readonly string[], options: RunOptions = {}): Running {
  const child = spawn(command, args, { env: options.env ?? process.env, cwd: options.cwd, stdio: ["pipe", "pipe", "pipe"] });
  const text = { stdout: "", stderr: "" };
  const listeners = new Set<() => void>();
  let closed = false;
  for (const stream of ["stdout", "stderr"] as const) {
    child[stream].setEncoding("utf8").on("data", (chunk: string) => {
      text[stream] += chunk;
      for (const listener of listeners) listener();
    });
  }
  child.stdin.on("error", () => undefined);
  if (options.input !== undefined) child.stdin.write(options.input);
  const ended = new Promise<{ code: number | null; signal: NodeJS.Signals | null }>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code, signal) => {
      closed = true;
      resolve({ code, signal });
      for (const listener of listeners) listener();
    });
  });
  // Whoever waits for the end sees the error; nobody has to.
  ended.catch(() => undefined);
  return {
    child,
    stdout: () => text.stdout,
    stderr: () => text.stderr,
    ended,
    waitFor: (pattern, stream, timeout = 60_000) =>
      new Promise((resolve, reject) => {
        const fail = (why: string): void => finish(() => reject(new NotSaid(`${command} ${why}`, text.stdout, text.stderr)));
        const timer = setTimeout(() => fail(`did not say ${String(pattern)} within ${timeout} ms`), timeout);
        const look = (): void => {
          const match = pattern.exec(text[stream]);
          if (match) finish(() => resolve(match));
          // One that has exited may have said it all the same: that is read until its output ends.
          else if (closed) fail(`ended before ${String(pattern)}`);
        };
        const finish = (done: () => void): void => {
          clearTimeout(timer);
          listeners.delete(look);
          done();
        };
        listeners.add(look);
        look();
      }),
    async stop(signal = "SIGTERM") {
      if (child.exitCode === null && child.signalCode === null) child.kill(signal);
      const timer = setTimeout(() => child.kill("SIGKILL"), 60_000);
      try {
        return await ended;
      } finally {
        clearTimeout(timer);
      }
    },
  };
}
