import type { IncomingMessage, ServerResponse } from "node:http";
import fastify, { type FastifyInstance } from "fastify";
import { GatehouseError, type Logger, type Random } from "../../base/index.ts";
import { errorBody, errorStatus, publicError } from "./errors.ts";

/** Answers one request; what a purpose server calls. */
export type HttpHandler = (request: IncomingMessage, response: ServerResponse) => void;

/** A Fastify application with its routes, ready for requests. */
export interface App {
  readonly handler: HttpHandler;
  close(): Promise<void>;
}

export interface AppOptions {
  /** Bytes of a body. */
  readonly bodyLimit: number;
  readonly logger: Logger;
  readonly random: Random;
  /** Address to route instead of the one asked for. */
  readonly rewriteUrl?: (url: string) => string;
  /** An answer of its own to a failed request; undefined leaves it to the JSON one. */
  readonly errorPage?: (error: GatehouseError, url: string) => string | undefined;
  readonly routes: (app: FastifyInstance) => void | Promise<void>;
}

/** Headers of every answer (reference §1.1, and what keeps browsers from guessing). */
const answerHeaders = {
  "cache-control": "no-cache, no-store, must-revalidate",
  pragma: "no-cache",
  expires: "0",
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
  "referrer-policy": "no-referrer",
  "cross-origin-resource-policy": "same-origin",
  "cross-origin-opener-policy": "same-origin",
  "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
};

/**
 * A Fastify application that never listens: its `handler` is what a server of ours calls. Wrong verbs are 404 as in v3 (reference §1.1); a failure
 * is told in both of v3's shapes.
 */
export async function createApp(options: AppOptions): Promise<App> {
  const { logger, random } = options;
  const app = fastify({
    bodyLimit: options.bodyLimit,
    exposeHeadRoutes: false,
    routerOptions: { maxParamLength: 512 },
    rewriteUrl: (request) => options.rewriteUrl?.(request.url ?? "/") ?? request.url ?? "/",
    onProtoPoisoning: "error",
    onConstructorPoisoning: "error",
  });
  app.addHook("onRequest", async (_request, reply) => {
    reply.headers(answerHeaders);
  });
  app.setErrorHandler((thrown, request, reply) => {
    const error = publicError(thrown, { logger, random, where: `${request.method} ${request.routeOptions.url ?? ""}` });
    const markup = options.errorPage?.(error, request.url);
    reply.status(errorStatus(error));
    return markup === undefined ? reply.type("application/json").send(errorBody(error)) : reply.type("text/html; charset=utf-8").send(markup);
  });
  app.setNotFoundHandler((request, reply) => {
    // The path is not repeated: it may be anything, and it may be long.
    const error = new GatehouseError("not_found", `${request.method} of this path is not something the gateway does`);
    const markup = options.errorPage?.(error, request.url);
    reply.status(404);
    return markup === undefined ? reply.type("application/json").send(errorBody(error)) : reply.type("text/html; charset=utf-8").send(markup);
  });
  await options.routes(app);
  await app.ready();
  return {
    handler: (request, response) => app.routing(request, response),
    close: () => app.close(),
  };
}
