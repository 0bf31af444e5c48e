import { Agent, request as httpsRequest } from "node:https";
import type { IncomingMessage } from "node:http";
import type { Transport, TransportResponse } from "../api/index.ts";
import { GatehouseError, limits, readAll, version } from "../base/index.ts";
import { answerPieces } from "./answer-pieces.ts";
import type { ProxyAddress } from "./lean/index.ts";
import { unreachable } from "./network-errors.ts";

/** How to reach one gateway over TLS. */
export interface TlsTransportOptions {
  readonly address: ProxyAddress;
  /** Authorities that may vouch for the gateway, PEM. */
  readonly authorities: readonly string[];
  /** Name that chooses the gateway's server and that its certificate must have; the address's host where absent. */
  readonly serverName?: string | undefined;
  /** The caller's certificate and key, PEM. */
  readonly identity?: { readonly certificate: string; readonly key: string } | undefined;
  /** ms for one request from the first byte to the last; 30 s where absent. */
  readonly timeout?: number | undefined;
  /** Told the gateway's clock (ms since the epoch, seconds exact) with each answer. */
  readonly onDate?: ((date: number) => void) | undefined;
}

const defaultTimeout = 30_000;

async function readAnswer(response: IncomingMessage, options: TlsTransportOptions): Promise<TransportResponse> {
  const date = Date.parse(response.headers.date ?? "");
  if (!Number.isNaN(date)) options.onDate?.(date);
  const body = await readAll(response, limits.apiBody, "the gateway's answer");
  return { status: response.statusCode ?? 0, body: body.toString("utf8") };
}

async function* readPieces(response: IncomingMessage, gateway: string, idle: number | undefined): AsyncGenerator<Uint8Array, void, void> {
  try {
    yield* answerPieces(response, gateway, idle);
  } catch (error) {
    throw unreachable(gateway, error);
  }
}

/**
 * A transport over `node:https`: the chain and the name are verified before anything is sent. Throws `unavailable` with the cause where the
 * gateway cannot be reached or does not answer in time, `limit_exceeded` for an answer over 1 MiB.
 */
export function createTlsTransport(options: TlsTransportOptions): Transport {
  const { address, identity } = options;
  const timeout = options.timeout ?? defaultTimeout;
  const serverName = options.serverName ?? address.host;

  let kept: Agent | undefined;
  function send(method: string, path: string, text: string | undefined, signal: AbortSignal, again = false): Promise<IncomingMessage> {
    return new Promise((resolve, reject) => {
      const sent = httpsRequest(
        {
          host: address.host,
          port: address.port,
          servername: /^[\d.]+$|:/.test(serverName) ? "" : serverName,
          method,
          path,
          ca: [...options.authorities],
          ...(identity ? { cert: identity.certificate, key: identity.key } : {}),
          minVersion: "TLSv1.2",
          agent: again ? (kept ??= new Agent({ keepAlive: true, maxSockets: 1 })) : false,
          signal,
          headers: {
            host: address.text,
            accept: "application/json",
            "user-agent": `gatehouse/${version}`,
            ...(text === undefined ? {} : { "content-type": "application/json", "content-length": Buffer.byteLength(text) }),
          },
        },
        resolve,
      );
      sent.once("error", reject);
      sent.end(text);
    });
  }

  const late = (): GatehouseError =>
    new GatehouseError("unavailable", `the gateway ${address.text} did not answer within ${timeout / 1000} s`, { hint: "try again; if it stays so, tell the gateway's operator" });

  return {
    async request({ method, path, body, again }) {
      const signal = AbortSignal.timeout(timeout);
      try {
        return await readAnswer(await send(method, path, body === undefined ? undefined : JSON.stringify(body), signal, again), options);
      } catch (error) {
        throw unreachable(address.text, signal.aborted ? late() : error);
      }
    },
    async stream({ method, path, idle }) {
      const stop = new AbortController();
      const timer = setTimeout(() => stop.abort(), timeout);
      try {
        const response = await send(method, path, undefined, stop.signal);
        const length = response.headers["content-length"];
        return { status: response.statusCode ?? 0, length: length === undefined ? undefined : Number(length), body: readPieces(response, address.text, idle), close: () => response.destroy() };
      } catch (error) {
        throw unreachable(address.text, stop.signal.aborted ? late() : error);
      } finally {
        clearTimeout(timer);
      }
    },
  };
}
