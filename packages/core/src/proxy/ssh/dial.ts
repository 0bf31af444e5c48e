import { connect, type Socket } from "node:net";
import type { NodeEntry } from "../../auth/index.ts";
import { GatehouseError, escapeLine, systemErrorCode } from "../../base/index.ts";

const reasons: Readonly<Record<string, string>> = {
  ECONNREFUSED: "nothing listens there",
  ETIMEDOUT: "it does not answer",
  EHOSTUNREACH: "there is no way to it",
  ENETUNREACH: "there is no way to it",
  ENOTFOUND: "its name is unknown",
  EAI_AGAIN: "its name cannot be looked up",
};

/** When a silent peer is first asked whether it is there, ms. */
export const keepAliveTime = 30_000;

/** A host could not be reached: `detail` says where and why, for the log. */
export class Unreachable extends GatehouseError {
  readonly detail: string;

  constructor(message: string, detail: string, cause: unknown) {
    super("unavailable", message, { cause, hint: "see whether its sshd runs, and whether the gateway may reach it" });
    this.detail = detail;
  }
}

/** Connects to a host within `timeout` ms. The socket is paused, and does not end with its peer's half. Throws {@link Unreachable}; the reason of an abort where `signal` says so. */
export function dial(node: NodeEntry, timeout: number, signal: AbortSignal): Promise<Socket> {
  signal.throwIfAborted();
  return new Promise((resolve, reject) => {
    const { host, port } = node.addr;
    const socket = connect({ host, port, noDelay: true, keepAlive: true, keepAliveInitialDelay: keepAliveTime, allowHalfOpen: true });
    const settle = (): void => {
      clearTimeout(timer);
      socket.off("error", failed).off("connect", connected);
      signal.removeEventListener("abort", aborted);
    };
    const failed = (error: Error): void => {
      settle();
      // What an aborted connection still says is nobody's concern.
      socket.on("error", () => undefined);
      socket.destroy();
      const code = systemErrorCode(error) ?? error.name;
      reject(new Unreachable(`${escapeLine(node.hostname)} cannot be reached: ${reasons[code] ?? code}`, `${host} port ${String(port)}: ${code}`, error));
    };
    const connected = (): void => {
      settle();
      // Until somebody takes it, a reset must not end the process.
      socket.on("error", () => undefined);
      resolve(socket);
    };
    const aborted = (): void => {
      settle();
      socket.on("error", () => undefined);
      socket.destroy();
      reject(signal.reason instanceof Error ? signal.reason : new GatehouseError("unavailable", "the client is gone"));
    };
    const timer = setTimeout(() => failed(Object.assign(new Error("no answer in time"), { code: "ETIMEDOUT" })), timeout);
    signal.addEventListener("abort", aborted);
    socket.pause();
    socket.once("error", failed).once("connect", connected);
  });
}
