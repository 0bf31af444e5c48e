import { createSocket } from "node:dgram";
import { once } from "node:events";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer, type AddressInfo, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { manualClock, nullLogger, systemClock } from "../../base/index.ts";
import { createWitnessKeeper, openAuditLog, type OwnAuditLog, type WitnessOptions } from "../index.ts";
import { readWitnessLine } from "../verify/index.ts";
import { createOutbox } from "./outbox.ts";
import { syslogMessage } from "./syslog.ts";

let folder: string;
const logs: OwnAuditLog[] = [];
const servers: Server[] = [];

async function open(...witnesses: WitnessOptions[]): Promise<OwnAuditLog> {
  const log = await openAuditLog({ directory: join(folder, "log"), serverId: "gw1", clock: systemClock, logger: nullLogger, sync: "group", witnesses, hostname: "gate one" });
  logs.push(log);
  return log;
}
/** A listener for streams that keeps what it hears. */
async function listener(at: { readonly path: string } | { readonly port: number; readonly host: string }): Promise<{ readonly heard: () => string; readonly server: Server }> {
  let text = "";
  const server = createServer((socket) => socket.setEncoding("utf8").on("data", (chunk: string) => (text += chunk)).on("error", () => undefined));
  servers.push(server.listen(at));
  await once(server, "listening");
  return { heard: () => text, server };
}

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "gatehouse-witness-"));
});
afterEach(async () => {
  for (const log of logs.splice(0)) await log.close();
  for (const server of servers.splice(0)) server.close();
  await rm(folder, { recursive: true });
});

describe("a witness", () => {
  it("that is a file gets every checkpoint, the last one too", async () => {
    const path = join(folder, "witness.log");
    const log = await open({ type: "file", path });
    await log.emit({ event: "test", code: "G9999I" });
    await log.checkpoint();
    await log.close();
    const lines = (await readFile(path, "utf8")).trim().split("\n");
    expect(lines.map((line) => readWitnessLine(Buffer.from(line))?.checkpoint.last)).toEqual([false, true]);
  });

  it("that is a system log gets RFC 5424 messages over udp, tcp and a unix socket", async () => {
    const socketPath = join(folder, "syslog.sock");
    const [unix, tcp] = [await listener({ path: socketPath }), await listener({ host: "127.0.0.1", port: 0 })];
    const udp = createSocket("udp4");
    const datagrams: string[] = [];
    udp.on("message", (message) => datagrams.push(message.toString())).bind(0, "127.0.0.1");
    await once(udp, "listening");
    const port = (tcp.server.address() as AddressInfo).port;
    const log = await open({ type: "syslog", address: `unix://${socketPath}` }, { type: "syslog", address: `tcp://127.0.0.1:${port}` }, { type: "syslog", address: `udp://127.0.0.1:${udp.address().port}` });
    await log.emit({ event: "test", code: "G9999I" });
    await log.checkpoint();
    for (const heard of [unix.heard, tcp.heard]) {
      await vi.waitFor(() => expect(heard()).toMatch(/^\d+ <109>1 \d{4}-\d\d-\d\dT[\d:.]+Z gateone gatehouse \d+ checkpoint - \{"event":"audit\.checkpoint".*\}$/));
      const [, length, message = ""] = /^(\d+) (.*)$/s.exec(heard()) ?? [];
      expect(Buffer.byteLength(message)).toBe(Number(length));
      expect(readWitnessLine(Buffer.from(message))).toBeDefined();
    }
    await vi.waitFor(() => expect(datagrams).toHaveLength(1));
    expect(readWitnessLine(Buffer.from(datagrams[0]!))).toBeDefined();
    udp.close();
  });

  it("that is away is tried again, and what it lacks is told", async () => {
    const path = join(folder, "missing", "witness.log");
    const log = await open({ type: "file", path });
    await log.emit({ event: "test", code: "G9999I" });
    await log.checkpoint();
    await vi.waitFor(() => expect(log.status().witnesses[0]).toMatchObject({ name: path, waiting: 1, problem: expect.stringContaining("ENOENT") as string }));
    const { mkdir } = await import("node:fs/promises");
    await mkdir(join(folder, "missing"));
    await vi.waitFor(() => expect(log.status().witnesses[0]).toMatchObject({ waiting: 0, problem: undefined }), { timeout: 5000 });
  });
});

it("an outbox has a bound, at which the oldest go, and keeps the order", async () => {
  const taken: string[] = [];
  let away = true;
  const writer = {
    name: "w",
    send: async (line: string) => {
      if (away) throw new Error("away");
      taken.push(line);
    },
    close: async () => undefined,
  };
  const clock = manualClock(1000);
  const outbox = createOutbox(writer, { clock, logger: nullLogger, retryMs: 10 });
  for (let n = 0; n < 10_005; n += 1) outbox.add(String(n));
  clock.advance(500);
  await vi.waitFor(() => expect(outbox.status()).toMatchObject({ waiting: 10_000, dropped: 5, lag: 500, problem: "away" }));
  away = false;
  await vi.waitFor(() => expect(outbox.status()).toMatchObject({ waiting: 0, lag: 0, problem: undefined }));
  expect(taken).toEqual(Array.from({ length: 10_000 }, (_, n) => String(n + 5)));
  await outbox.close();
});

it("a message names the host in what the grammar takes", () => {
  expect(syslogMessage("x", 0, "ü")).toContain(" - gatehouse ");
});

describe("a gateway that is a witness", () => {
  it("keeps checkpoints of those it knows, and nothing else", async () => {
    const source = join(folder, "source.log");
    const log = await open({ type: "file", path: source });
    await log.emit({ event: "test", code: "G9999I" });
    await log.close();
    const [line = ""] = (await readFile(source, "utf8")).split("\n");
    const tokenFile = join(folder, "token");
    await writeFile(tokenFile, "0123456789abcdef\n");
    const keeper = createWitnessKeeper({ directory: join(folder, "kept"), accepted: [{ name: "gw1", tokenFile }, { name: "none", tokenFile: join(folder, "missing") }], logger: nullLogger });
    const right = "Bearer 0123456789abcdef";
    await expect(keeper.read("gw1")).rejects.toMatchObject({ code: "not_found" });
    await keeper.accept("gw1", right, line);
    for (const [name, authorization] of [["gw1", undefined], ["gw1", "Bearer wrong"], ["gw2", right], ["none", "Bearer "], ["../gw1", right]] as const) {
      await expect(keeper.accept(name, authorization, line)).rejects.toMatchObject({ code: "unauthenticated" });
    }
    for (const bad of ["", "{}", line.replace('"seq":0', '"seq":1'), `${line}\n${line}`, ` ${line}`]) {
      await expect(keeper.accept("gw1", right, bad)).rejects.toMatchObject({ code: "bad_parameter" });
    }
    let text = "";
    for await (const chunk of await keeper.read("gw1")) text += String(chunk);
    expect(text).toBe(`${line}\n`);
    await expect(keeper.read("../gw1")).rejects.toMatchObject({ code: "not_found" });
  });
});
