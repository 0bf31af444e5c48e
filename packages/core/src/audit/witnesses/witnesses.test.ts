import { createSocket } from "node:dgram";
import { once } from "node:events";
import { mkdtemp, readFile, rename, rm, writeFile } from "node:fs/promises";
import { createServer as createHttpServer } from "node:http";
import { createServer, type AddressInfo, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { manualClock, nullLogger, systemClock } from "../../base/index.ts";
import { createWitnessKeeper, openAuditLog, type OwnAuditLog, type WitnessOptions } from "../index.ts";
import { readWitnessLine } from "../verify/index.ts";
import { createOutbox } from "./outbox.ts";
import { s3Witness } from "./s3.ts";
import { syslogMessage } from "./syslog.ts";
import type { WitnessWriter } from "./types.ts";

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
    await vi.waitFor(() => expect(log.status().witnesses[0]).toMatchObject({ waiting: 0, problem: undefined }));
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

  it("takes a checkpoint once, and only what follows the last one, of one server", async () => {
    const tokenFile = join(folder, "token");
    await writeFile(tokenFile, "0123456789abcdef\n");
    const right = "Bearer 0123456789abcdef";
    const keeper = () => createWitnessKeeper({ directory: join(folder, "kept"), accepted: [{ name: "gw1", tokenFile }], logger: nullLogger });
    const linesOf = async (serverId: string, directory: string): Promise<string[]> => {
      const source = join(folder, `${directory}.log`);
      const log = await openAuditLog({ directory: join(folder, directory), serverId, clock: systemClock, logger: nullLogger, sync: "group", witnesses: [{ type: "file", path: source }] });
      for (let n = 0; n < 3; n += 1) {
        await log.emit({ event: "test", code: "G9999I" });
        await log.checkpoint();
      }
      await log.close();
      return (await readFile(source, "utf8")).trim().split("\n");
    };
    const [mine, anew, other] = [await linesOf("gw1", "a"), await linesOf("gw1", "b"), await linesOf("gw2", "c")];
    let one = keeper();
    await one.accept("gw1", right, mine[0]!);
    await one.accept("gw1", right, mine[0]!);
    await one.accept("gw1", right, mine[1]!);
    // What it keeps counts after a restart too.
    one = keeper();
    await one.accept("gw1", right, mine[1]!);
    for (const wrong of [mine[0]!, anew[0]!, anew[1]!, anew[2]!, other[2]!]) await expect(one.accept("gw1", right, wrong)).rejects.toMatchObject({ code: "compare_failed" });
    await one.accept("gw1", right, mine[3]!);
    let text = "";
    for await (const chunk of await one.read("gw1")) text += String(chunk);
    expect(text).toBe([mine[0]!, mine[1]!, mine[3]!, ""].join("\n"));
    // A new log of that gateway, once what was kept of the old one is moved away; no restart is asked for.
    await rename(join(folder, "kept/gw1.log"), join(folder, "moved.log"));
    await one.accept("gw1", right, anew[0]!);
    await expect(one.accept("gw1", right, mine[1]!)).rejects.toMatchObject({ code: "compare_failed" });
    // After a write that was cut short.
    await writeFile(join(folder, "kept/gw1.log"), `${mine[0]!}\n${mine[1]!.slice(0, 50)}`);
    one = keeper();
    await one.accept("gw1", right, mine[1]!);
    expect((await readFile(join(folder, "kept/gw1.log"), "utf8")).split("\n").slice(1)).toEqual([mine[1]!.slice(0, 50), mine[1]!, ""]);
  });
});

describe("a bucket", () => {
  interface Put {
    readonly path: string;
    readonly body: string;
  }
  /** A store that writes nothing over, and lets things be read or not. */
  async function store(readable: boolean): Promise<{ readonly objects: Map<string, string>; readonly puts: Put[]; readonly port: number; readonly close: () => void }> {
    const objects = new Map<string, string>();
    const puts: Put[] = [];
    const server = createHttpServer((request, response) => {
      const path = request.url ?? "";
      const chunks: Buffer[] = [];
      request.on("data", (chunk: Buffer) => chunks.push(chunk)).on("end", () => {
        if (request.method === "GET") {
          response.writeHead(readable ? 200 : 403).end(readable ? objects.get(path) : "");
          return;
        }
        const body = Buffer.concat(chunks).toString();
        puts.push({ path, body });
        const taken = request.headers["if-none-match"] === "*" && objects.has(path);
        if (!taken) objects.set(path, body);
        response.writeHead(taken ? 412 : 200).end();
      });
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return { objects, puts, port: (server.address() as AddressInfo).port, close: () => server.close() };
  }
  async function witnessOf(port: number, warned: string[] = []): Promise<WitnessWriter> {
    const secretKeyFile = join(folder, "secret");
    await writeFile(secretKeyFile, "secret");
    const options = { type: "s3", endpoint: `http://127.0.0.1:${port}`, region: "r", bucket: "b", prefix: "", accessKeyId: "a", secretKeyFile, lockMs: 0, lockMode: "COMPLIANCE" } as const;
    return s3Witness(options, { clock: manualClock(1000), logger: { ...nullLogger, warn: (_fields: object, text?: string) => void warned.push(text ?? "") } });
  }

  it.each([[true, 1], [false, 2]])("keeps a checkpoint that comes twice (readable: %s)", async (readable, count) => {
    const { objects, port, close } = await store(readable);
    const warned: string[] = [];
    const witness = await witnessOf(port, warned);
    await witness.send("a line");
    await witness.send("a line");
    expect([...objects.values()]).toEqual(Array.from({ length: count }, () => "a line\n"));
    expect(warned).toEqual([expect.stringContaining("lock_for")]);
    close();
  });

  it("that has something else under a checkpoint's name keeps both", async () => {
    const { objects, puts, port, close } = await store(true);
    const witness = await witnessOf(port);
    await witness.send("a line");
    const [path = ""] = objects.keys();
    objects.set(path, "not a checkpoint");
    await witness.send("a line");
    expect([...objects.values()]).toEqual(["not a checkpoint", "a line\n"]);
    expect(puts).toHaveLength(3);
    close();
  });
});
