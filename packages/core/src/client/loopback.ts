import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { GatehouseError, errorMessage, escapeLine, randomHex, systemErrorCode, type Random } from "../base/index.ts";
import { joinHostPort } from "./lean/index.ts";

/** An answer that the browser brought back. */
export interface CallbackQuery {
  readonly response: string | undefined;
  readonly error: string | undefined;
}

/** What an answer was: not for this login, or its end, good or bad. */
export type Verdict<T> = { readonly kind: "stray" } | { readonly kind: "good"; readonly value: T } | { readonly kind: "bad"; readonly error: GatehouseError };

/** What the loopback listener does with an answer. */
export interface LoopbackOptions<T> {
  /** `host:port` or `host`, loopback only; 127.0.0.1 and any free port where absent. */
  readonly bindAddress: string | undefined;
  readonly random: Random;
  /** Where the browser goes after a good answer and after a bad one. */
  readonly successUrl: string;
  readonly failureUrl: string;
  readonly judge: (query: CallbackQuery) => Verdict<T>;
}

/** The listener that a login waits at. */
export interface Loopback<T> {
  /** What the gateway redirects to. */
  readonly callbackUrl: string;
  /** Short link that leads to `target`. */
  readonly shortUrl: string;
  setTarget(url: string): void;
  /** The first answer that was for this login. */
  readonly answer: Promise<T>;
  /** Number of answers that were for something else. */
  strays(): number;
  close(): Promise<void>;
}

const maxStrays = 20;

function parseBind(text: string | undefined): { readonly host: string; readonly port: number } {
  if (text === undefined || text === "") return { host: "127.0.0.1", port: 0 };
  const match = /^(127(?:\.\d{1,3}){3}|\[::1\]|localhost)(?::(\d{1,5}))?$/i.exec(text);
  const port = Number(match?.[2] ?? 0);
  if (!match?.[1] || port > 65_535) {
    throw new GatehouseError("usage", `cannot wait for the browser at "${escapeLine(text.slice(0, 200))}"`, { hint: "--bind-addr takes a loopback address, such as 127.0.0.1:4000: the answer carries a certificate" });
  }
  const host = match[1].toLowerCase();
  return { host: host === "localhost" ? "127.0.0.1" : host.replace(/^\[|\]$/g, ""), port };
}

function queryOf(url: URL): CallbackQuery {
  return { response: url.searchParams.get("response") ?? undefined, error: url.searchParams.get("error") ?? undefined };
}

/**
 * Waits on loopback for the browser to bring the gateway's answer (reference §1.8). Requests for another host name (a rebound DNS name), another
 * path or with an answer that cannot be opened do not end the wait. Throws `internal` where the address cannot be bound.
 */
export async function startLoopback<T>(options: LoopbackOptions<T>): Promise<Loopback<T>> {
  const { host, port } = parseBind(options.bindAddress);
  const shortPath = `/${randomHex(options.random, 4)}`;
  let target: string | undefined;
  let strays = 0;
  let settle: { resolve: (value: T) => void; reject: (error: unknown) => void } | undefined;
  let settled = false;
  const answer = new Promise<T>((resolve, reject) => (settle = { resolve, reject }));
  // Whoever waits sees it; a login that fails before it waits does not.
  answer.catch(() => undefined);

  function callback(response: ServerResponse, url: URL): void {
    const verdict: Verdict<T> = settled ? { kind: "stray" } : options.judge(queryOf(url));
    if (verdict.kind === "stray") strays += 1;
    redirect(response, verdict.kind === "good" ? options.successUrl : options.failureUrl);
    if (settled || (verdict.kind === "stray" && strays < maxStrays)) return;
    settled = true;
    // The browser gets its page before the listener goes.
    response.once("close", () => {
      if (verdict.kind === "good") settle?.resolve(verdict.value);
      else settle?.reject(verdict.kind === "bad" ? verdict.error : new GatehouseError("internal", `login failed: ${strays} answers came that were not for this login`));
    });
  }

  function serve(request: IncomingMessage, response: ServerResponse): void {
    request.resume();
    const url = URL.canParse(request.url ?? "", callbackBase) ? new URL(request.url ?? "", callbackBase) : undefined;
    // A name that was rebound to this address is not ours.
    if (request.method !== "GET" || !url || url.origin !== callbackBase || request.headers.host !== url.host) refuse(response);
    else if (url.pathname === "/callback") callback(response, url);
    else if (url.pathname === shortPath && target !== undefined) redirect(response, target);
    else refuse(response);
  }

  const server = createServer({ maxHeaderSize: 1024 * 1024, requestTimeout: 10_000, headersTimeout: 10_000 }, serve);
  server.maxConnections = 32;
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error) => {
      const inUse = systemErrorCode(error) === "EADDRINUSE";
      reject(new GatehouseError("internal", `cannot wait for the browser at ${joinHostPort(host, port)}: ${inUse ? "something else listens there" : errorMessage(error)}`, { hint: "choose another port with --bind-addr, or leave it out", cause: error }));
    });
    server.listen({ host, port }, resolve);
  });
  const callbackBase = `http://${joinHostPort(host, (server.address() as AddressInfo).port)}`;
  return {
    callbackUrl: `${callbackBase}/callback`,
    shortUrl: `${callbackBase}${shortPath}`,
    setTarget: (url) => (target = url),
    answer,
    strays: () => strays,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

const common = { "cache-control": "no-store", "referrer-policy": "no-referrer", connection: "close" };

function redirect(response: ServerResponse, location: string): void {
  response.writeHead(302, { ...common, location }).end();
}

function refuse(response: ServerResponse): void {
  response.writeHead(404, { ...common, "content-type": "text/plain" }).end("not found\n");
}
