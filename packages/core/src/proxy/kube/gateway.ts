import type { IncomingMessage } from "node:http";
import { errorMessage, refusalId } from "../../base/index.ts";
import type { Clock, Logger, Random } from "../../base/index.ts";
import type { Strangers } from "../listener/index.ts";
import type { Connection } from "./connection.ts";
import { deniedEvent, streamKind } from "./events.ts";
import type { RequestFacts } from "./events.ts";
import { parseTarget } from "./path.ts";
import type { Recorder } from "../sessions/index.ts";
import type { KubeRegistry } from "./registry.ts";
import type { Attempts, KubeSessionContext } from "./sessions/index.ts";
import { Refusal, failure } from "./status.ts";
import type { Failure } from "./status.ts";

/** What every request of the proxy shares. */
export interface Shared {
  readonly strangers: Strangers;
  readonly recorder: Recorder;
  readonly registry: KubeRegistry;
  readonly sessions: KubeSessionContext;
  readonly attempts: Attempts;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly random: Random;
}

/** The refusal that a thrown thing stands for; what is not one is logged and told as 500. */
export function refusalOf(error: unknown, logger: Logger): Failure {
  if (error instanceof Refusal) return error.failure;
  logger.error({ error: errorMessage(error) }, "a Kubernetes request could not be decided");
  return failure(500, "the gateway could not decide this request");
}

/** Characters of a path that somebody without a good certificate asked for. */
const strangerPath = 128;

/** Writes a refusal down, under an id, then calls `answer` with what the client is told, id included. */
export function recordRefusal(shared: Shared, connection: Connection, request: IncomingMessage, why: Failure, answer: (why: Failure) => void): void {
  const stranger = connection.username === undefined;
  if (stranger && !shared.strangers.admit(connection.remoteAddress)) {
    answer(why);
    return;
  }
  const target = parseTarget(request.url ?? "");
  const facts = {
    connection,
    method: request.method ?? "",
    path: target.ok ? target.path : undefined,
    pathname: (target.ok ? target.pathname : (request.url ?? "").replace(/\?.*$/s, "")).slice(0, stranger ? strangerPath : undefined),
    query: target.ok ? target.query : "",
    user: connection.username,
    groups: [],
  };
  recordDenial(shared, facts, request.headers.upgrade, why, answer);
}

/**
 * {@link recordRefusal} of a request that was read. `upgrade` is what it asked to switch to: where kubectl tries again by SPDY what was
 * refused by WebSocket, it hears the same refusal under the same id.
 */
export function recordDenial(shared: Shared, facts: RequestFacts, upgrade: string | undefined, why: Failure, answer: (why: Failure) => void): void {
  const { attempts, recorder, random } = shared;
  const key = upgrade === undefined ? undefined : attemptKey(facts);
  const first = key !== undefined && isFirstAttempt(upgrade);
  const told = key === undefined || first ? undefined : attempts.sameDenial(key, why);
  const id = told ?? refusalId(random);
  const tell = (): void => answer({ ...why, message: `${why.message} (refusal ${id})` });
  if (told !== undefined) {
    tell();
    return;
  }
  if (first) attempts.denied(key, why, id);
  // A refusal stands even where it cannot be written: nothing was let through.
  recorder.write({ ...deniedEvent(facts, why.code, why.message, id), lock: why.lock }, tell);
}

/** Characters of a path and query that are remembered; attempts at longer commands are told apart. */
const maxAttempt = 16 * 1024;

/** What two attempts at one stream have in common: certificate, cluster, path and query; undefined for what is no stream of a pod, and for a very long one. */
export function attemptKey({ connection, path, pathname, query }: RequestFacts): string | undefined {
  const { certificateId } = connection;
  if (certificateId === undefined || streamKind(path) === "other" || pathname.length + query.length > maxAttempt) return undefined;
  return `${certificateId} ${connection.clusterName} ${pathname}?${query}`;
}

/** Whether an upgrade is the one that kubectl tries first. */
export function isFirstAttempt(upgrade: string | undefined): boolean {
  return upgrade?.toLowerCase() === "websocket";
}
