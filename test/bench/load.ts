import { once } from "node:events";
import { connect } from "node:tls";
import type { TLSSocket } from "node:tls";
import { z } from "zod";
import { cpuTime } from "./processes.ts";

/** Where requests go and with which certificate; all PEM. */
export interface Target {
  readonly port: number;
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
  readonly path: string;
}

/** What one run of requests came to. Latencies in µs; `cpu` is what a watched process used meanwhile, µs. */
export const loadResult = z.object({ requests: z.number(), seconds: z.number(), p50: z.number(), p99: z.number(), cpu: z.number() });
export type LoadResult = z.infer<typeof loadResult>;

const headEnd = Buffer.from("\r\n\r\n");
const lastChunk = Buffer.from("0\r\n\r\n");

/** The bytes of one request. */
export function requestOf(path: string): Buffer {
  return Buffer.from(`GET ${path} HTTP/1.1\r\nHost: localhost\r\nAccept: application/json\r\nUser-Agent: bench\r\n\r\n`);
}

/** Opens a connection and waits for the end of the handshake. */
export async function open(target: Target): Promise<TLSSocket> {
  const { port, ca, cert, key } = target;
  const socket = connect({ host: "127.0.0.1", port, ca, cert, key, servername: "localhost", ALPNProtocols: ["http/1.1"] });
  socket.setNoDelay(true);
  await once(socket, "secureConnect");
  return socket;
}

/** Reads answers off a connection; `done` is called at the end of each. Throws what is not a 200. */
function readAnswers(socket: TLSSocket, done: () => void): void {
  let left = -1;
  let chunked = false;
  let head: Buffer | undefined;
  socket.on("data", (chunk: Buffer) => {
    let rest = chunk;
    if (left < 0 && !chunked) {
      rest = head === undefined ? chunk : Buffer.concat([head, chunk]);
      const end = rest.indexOf(headEnd);
      if (end < 0) {
        head = rest;
        return;
      }
      head = undefined;
      const text = rest.toString("latin1", 0, end).toLowerCase();
      if (!text.startsWith("http/1.1 200")) throw new Error(`the answer was ${text.slice(0, text.indexOf("\r"))}`);
      const length = /\r\ncontent-length: *(\d+)/.exec(text)?.[1];
      chunked = length === undefined;
      left = length === undefined ? 0 : Number(length);
      rest = rest.subarray(end + headEnd.length);
    }
    if (chunked) {
      if (!rest.subarray(-lastChunk.length).equals(lastChunk)) return;
      chunked = false;
    } else {
      left -= rest.length;
      if (left > 0) return;
    }
    left = -1;
    done();
  });
}

/**
 * Keeps `connections` connections busy with one request each for `seconds`, after a second that does not count; watches the CPU time of process `pid`. With a
 * `pause`, ms, each waits so long after an answer: latency then is that of requests that find everything at rest.
 */
export async function load(target: Target, connections: number, seconds: number, pid?: number, pause = 0): Promise<LoadResult> {
  const request = requestOf(target.path);
  const sockets = await Promise.all(Array.from({ length: connections }, () => open(target)));
  const latencies = new Float64Array(2_000_000);
  let count = 0;
  let counting = false;
  let stopped = false;
  for (const [index, socket] of sockets.entries()) {
    let sent = 0;
    const send = (): void => {
      if (stopped) return;
      sent = performance.now();
      socket.write(request);
    };
    readAnswers(socket, () => {
      if (counting && count < latencies.length) latencies[count++] = performance.now() - sent;
      if (pause === 0) send();
      else setTimeout(send, pause);
    });
    // Those that pause do not all ask at one time.
    if (pause === 0) send();
    else setTimeout(send, (pause * index) / connections);
  }
  await new Promise((resolve) => setTimeout(resolve, 1000));
  counting = true;
  const used = pid === undefined ? 0 : cpuTime(pid);
  const start = performance.now();
  await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
  counting = false;
  stopped = true;
  const cpu = pid === undefined ? 0 : cpuTime(pid) - used;
  const took = (performance.now() - start) / 1000;
  for (const socket of sockets) socket.destroy();
  const sorted = latencies.subarray(0, count).sort();
  const at = (part: number): number => Math.round((sorted[Math.floor(part * (count - 1))] ?? 0) * 1000);
  return { requests: count, seconds: took, p50: at(0.5), p99: at(0.99), cpu };
}

/** A new connection with its first request, `rounds` times, one after another. */
export async function firstRequests(target: Target, rounds: number): Promise<LoadResult> {
  const request = requestOf(target.path);
  const times: number[] = [];
  for (let round = -5; round < rounds; round++) {
    const start = performance.now();
    const socket = await open(target);
    const answered = new Promise<void>((resolve, reject) => {
      socket.on("error", reject);
      readAnswers(socket, resolve);
    });
    socket.write(request);
    await answered;
    if (round >= 0) times.push(performance.now() - start);
    socket.destroy();
  }
  times.sort((a, b) => a - b);
  const at = (part: number): number => Math.round((times[Math.floor(part * (times.length - 1))] ?? 0) * 1000);
  return { requests: rounds, seconds: times.reduce((sum, time) => sum + time, 0) / 1000, p50: at(0.5), p99: at(0.99), cpu: 0 };
}
