import { createSocket } from "node:dgram";
import { once } from "node:events";
import { createConnection, type Socket } from "node:net";
import { GatehouseError, type Clock } from "../../base/index.ts";
import type { WitnessWriter } from "./types.ts";

/** Facility 13 (log audit), severity 5 (notice): RFC 5424 §6.2.1. */
const priority = 13 * 8 + 5;
const connectMs = 10_000;
const sendMs = 10_000;

/** One message of RFC 5424; `host` is cut to what its grammar takes. */
export function syslogMessage(line: string, now: number, host: string): string {
  const name = host.replace(/[^\x21-\x7e]/g, "").slice(0, 255);
  return `<${priority}>1 ${new Date(now).toISOString()} ${name === "" ? "-" : name} gatehouse ${process.pid} checkpoint - ${line}`;
}

/** Where messages go. Throws `bad_parameter`. */
export function parseSyslogAddress(address: string): { readonly protocol: "udp" | "tcp"; readonly host: string; readonly port: number } | { readonly protocol: "unix"; readonly path: string } {
  const unix = /^unix:\/\/(\/.+)$/.exec(address)?.[1];
  if (unix !== undefined) return { protocol: "unix", path: unix };
  const match = /^(udp|tcp):\/\/(\[[0-9a-fA-F:]+\]|[^:/[\]]+):(\d{1,5})$/.exec(address);
  const port = Number(match?.[3]);
  if (!match || port < 1 || port > 65_535) throw new GatehouseError("bad_parameter", `"${address}" is not udp://host:port, tcp://host:port or unix:///path`);
  return { protocol: match[1] === "udp" ? "udp" : "tcp", host: (match[2] ?? "").replace(/^\[|\]$/g, ""), port };
}

function udpWitness(name: string, host: string, port: number, message: (line: string) => string): WitnessWriter {
  return {
    name,
    async send(line) {
      const socket = createSocket(host.includes(":") ? "udp6" : "udp4");
      try {
        await new Promise<void>((resolve, reject) => socket.on("error", reject).send(message(line), port, host, (error) => (error ? reject(error) : resolve())));
      } finally {
        socket.close();
      }
    },
    close: () => Promise.resolve(),
  };
}

/** A connection that is kept; messages are framed by their length (RFC 6587 §3.4.1). */
function streamWitness(name: string, connect: () => Socket, message: (line: string) => string): WitnessWriter {
  let socket: Socket | undefined;
  async function connected(): Promise<Socket> {
    if (socket && !socket.destroyed && socket.writable) return socket;
    const fresh = connect();
    try {
      await once(fresh, "connect", { signal: AbortSignal.timeout(connectMs) });
    } catch (error) {
      fresh.destroy();
      throw error;
    }
    // Whoever listens here says nothing; an error shows at the next message.
    fresh.on("error", () => fresh.destroy()).resume().unref();
    socket = fresh;
    return fresh;
  }
  return {
    name,
    async send(line) {
      const to = await connected();
      const text = message(line);
      const late = setTimeout(() => to.destroy(new Error(`nothing was taken within ${sendMs / 1000} s`)), sendMs);
      try {
        await new Promise<void>((resolve, reject) => to.write(`${Buffer.byteLength(text)} ${text}`, (error) => (error ? reject(error) : resolve())));
      } finally {
        clearTimeout(late);
      }
    },
    async close() {
      if (!socket || socket.destroyed) return;
      const ended = once(socket, "close");
      socket.end();
      const late = setTimeout(() => socket?.destroy(), 1000);
      await ended.finally(() => clearTimeout(late));
    },
  };
}

/** Sends checkpoints to a system log (RFC 5424). Throws `bad_parameter` for an address that is none. */
export function syslogWitness(address: string, host: string, clock: Clock): WitnessWriter {
  const to = parseSyslogAddress(address);
  const message = (line: string): string => syslogMessage(line, clock.now(), host);
  if (to.protocol === "udp") return udpWitness(address, to.host, to.port, message);
  return streamWitness(address, () => (to.protocol === "unix" ? createConnection(to.path) : createConnection({ host: to.host, port: to.port })), message);
}
