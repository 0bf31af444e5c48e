import type { IncomingMessage } from "node:http";
import { errorMessage, refusalId } from "../../base/index.ts";
import type { Clock, Logger, Random } from "../../base/index.ts";
import type { Connection } from "./connection.ts";
import { deniedEvent } from "./events.ts";
import { parseTarget } from "./path.ts";
import type { Recorder } from "./recorder.ts";
import type { Registry } from "./registry.ts";
import { Refusal, failure } from "./status.ts";
import type { Failure } from "./status.ts";
import type { Strangers } from "./strangers.ts";

/** What every request of the proxy shares. */
export interface Shared {
  readonly strangers: Strangers;
  readonly recorder: Recorder;
  readonly registry: Registry;
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
  const id = refusalId(shared.random);
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
  // A refusal stands even where it cannot be written: nothing was let through.
  shared.recorder.write({ ...deniedEvent(facts, why.code, why.message, id), lock: why.lock }, () => answer({ ...why, message: `${why.message} (refusal ${id})` }));
}
