import { randomInt } from "node:crypto";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { createServer } from "node:net";

const lowest = 12_000;
/** Where Linux begins, unless told otherwise, to give out ports by itself. */
const usualEnd = 32_768;
/** Each process of a test run has some to itself: what one has been told to be free, another is not. */
const shares = 16;
let turn = randomInt(usualEnd);

async function endOfUs(): Promise<number> {
  const range = await readFile("/proc/sys/net/ipv4/ip_local_port_range", "utf8").catch(() => "");
  const first = Number.parseInt(range, 10);
  return first > lowest + 100 * shares ? first : usualEnd;
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  const heard = once(server, "listening").then(() => true, () => false);
  server.listen(port, "127.0.0.1");
  if (!(await heard)) return false;
  server.close();
  await once(server, "close");
  return true;
}

/**
 * A port of 127.0.0.1 on which nobody listens now, for who cannot listen on port 0. It is none that the system gives out by itself, so that no connection and no other listener
 * has it by chance a moment later, also not while who had it starts again.
 */
export async function freePort(): Promise<number> {
  const each = Math.floor(((await endOfUs()) - lowest) / shares);
  const own = lowest + (Number(process.env["VITEST_POOL_ID"] ?? 0) % shares) * each;
  for (let tries = 0; tries < each; tries++) {
    turn += 2;
    const port = own + (turn % each);
    if (await isFree(port)) return port;
  }
  throw new Error(`no port from ${String(own)} on is free`);
}
