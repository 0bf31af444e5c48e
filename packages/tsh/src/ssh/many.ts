import { spawn } from "node:child_process";
import { once } from "node:events";
import type { Readable, Writable } from "node:stream";
import { GatehouseError, escapeLine, escapeText } from "@gatehouse/core/base";
import type { ChosenHost, RunFolder } from "@gatehouse/core/client/ssh";
import { formatData, type DataFormat, type Output } from "@gatehouse/core/client/terminal";
import type { HostSession } from "./hosts.ts";
import { ended } from "../child.ts";
import { exitCodeOf, findProgram } from "./openssh.ts";

/** What a command on many hosts is run with. */
export interface ManyOptions {
  readonly hosts: HostSession;
  readonly chosen: readonly ChosenHost[];
  readonly command: readonly string[];
  readonly output: Output;
  /** Hosts at once. */
  readonly parallel: number;
  readonly format: DataFormat;
  /** Flags for ssh. */
  readonly args: readonly string[];
  /** Use OpenSSH where there is one. */
  readonly openssh: boolean;
}

/** How the command ended on one host; `stdout` and `stderr` where they are kept. */
interface HostOutcome {
  readonly host: string;
  readonly id: string;
  readonly login: string;
  readonly exit_code: number;
  /** ms. */
  readonly duration: number;
  readonly stdout: string;
  readonly stderr: string;
  /** More was said than is kept. */
  readonly truncated: boolean;
}

/** Starts the command on one host, and says how it went. */
export interface HostRunner {
  run(host: ChosenHost, take: { readonly stdout: (stream: Readable) => Promise<void>; readonly stderr: (stream: Readable) => Promise<void> }): Promise<number>;
}

/** Bytes of output that are kept of one host and stream, for a program. */
const maxKept = 1024 * 1024;
/** Longest line that is printed as one. */
const maxLine = 64 * 1024;

function opensshRunner(program: string, folder: RunFolder, { args, command }: ManyOptions): HostRunner {
  return {
    async run(host, take) {
      const run = await folder.prepare(host);
      // Nobody can answer a question that comes from twenty hosts at once.
      const child = spawn(program, ["-F", run.config, "-o", "BatchMode=yes", ...args, "--", host.shown, ...command], { stdio: ["ignore", "pipe", "pipe"] });
      const [code] = await Promise.all([ended(child, "OpenSSH"), take.stdout(child.stdout), take.stderr(child.stderr)]);
      return exitCodeOf(code, run);
    },
  };
}

async function runner(options: ManyOptions): Promise<{ readonly runner: HostRunner; readonly done: () => Promise<void> }> {
  const program = options.openssh ? await findProgram("ssh") : undefined;
  if (program === undefined) {
    const { ownRunner } = await import("./without-openssh.ts");
    return { runner: ownRunner(options.hosts, options.command), done: () => Promise.resolve() };
  }
  const folder = await options.hosts.openFolder();
  return { runner: opensshRunner(program, folder, options), done: () => folder.remove() };
}

/** Prints lines as they come, each behind its host's name; a slow reader of ours slows the host down. A program gets the bytes as they are. */
async function printLines(stream: Readable, sink: Writable & { readonly isTTY?: boolean }, prefix: string): Promise<void> {
  let held = "";
  stream.setEncoding("utf8");
  const print = async (line: string): Promise<void> => {
    if (!sink.write(`${prefix}${sink.isTTY === true ? escapeText(line) : line}\n`)) await once(sink, "drain");
  };
  for await (const chunk of stream as AsyncIterable<string>) {
    const lines = (held + chunk).split(/\r?\n/);
    held = lines.pop() ?? "";
    for (const line of lines) await print(line);
    if (held.length > maxLine) {
      await print(held);
      held = "";
    }
  }
  if (held !== "") await print(held);
}

/** Runs a command on every host, so many at once. Resolves with 0 where it ended with 0 everywhere, else 1. */
export async function runOnMany(options: ManyOptions): Promise<number> {
  const { chosen, output, parallel, format } = options;
  const width = Math.max(...chosen.map(({ shown }) => shown.length));
  const { runner: start, done } = await runner(options);
  const outcomes: HostOutcome[] = [];
  const began = performance.now();

  const one = async (host: ChosenHost): Promise<HostOutcome> => {
    const prefix = `${escapeLine(host.shown).padEnd(width)} │ `;
    const kept = { stdout: "", stderr: "", truncated: false };
    const keep = (name: "stdout" | "stderr") => async (stream: Readable): Promise<void> => {
      stream.setEncoding("utf8");
      for await (const chunk of stream as AsyncIterable<string>) {
        const room = maxKept - kept[name].length;
        kept[name] += chunk.slice(0, room);
        kept.truncated ||= chunk.length > room;
      }
    };
    const started = performance.now();
    const take = format === "text" ? { stdout: (stream: Readable) => printLines(stream, process.stdout, prefix), stderr: (stream: Readable) => printLines(stream, process.stderr, prefix) } : { stdout: keep("stdout"), stderr: keep("stderr") };
    const code = await start.run(host, take).catch((error: unknown) => {
      if (!(error instanceof GatehouseError)) throw error;
      if (format === "text") process.stderr.write(`${prefix}${escapeLine(error.message)}${error.id === undefined ? "" : ` (event ${error.id})`}\n`);
      else kept.stderr += `${error.message}\n`;
      return error.exitCode;
    });
    return { host: host.shown, id: host.target, login: host.login, exit_code: code, duration: Math.round(performance.now() - started), ...kept };
  };

  const waiting = [...chosen];
  const work = async (): Promise<void> => {
    for (let host = waiting.shift(); host !== undefined; host = waiting.shift()) outcomes.push(await one(host));
  };
  try {
    await Promise.all(Array.from({ length: Math.min(parallel, chosen.length) }, work));
  } finally {
    await done();
  }
  const failed = outcomes.filter(({ exit_code: code }) => code !== 0);
  if (format === "text") summarize(outcomes, failed, performance.now() - began, output);
  else output.stdout.write(await formatData(outcomes.sort((a, b) => (a.host < b.host ? -1 : 1)), format));
  return failed.length === 0 ? 0 : 1;
}

function summarize(all: readonly HostOutcome[], failed: readonly HostOutcome[], took: number, { stderr, style }: Output): void {
  const count = `${all.length} ${all.length === 1 ? "host" : "hosts"}`;
  const ok = `${all.length - failed.length} ok`;
  const how = failed.map(({ host, exit_code: code }) => `${escapeLine(host)} (exit ${code})`).join(", ");
  stderr.write(`${count}, ${ok}${failed.length === 0 ? "" : `, ${style.red(`${failed.length} failed`)}: ${how}`}, ${(took / 1000).toFixed(2)} s\n`);
}
