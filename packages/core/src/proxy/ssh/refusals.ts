import { authFailed } from "../../audit/index.ts";
import type { EventFields } from "../../audit/index.ts";
import type { NodeEntry } from "../../auth/index.ts";
import { GatehouseError, refusalId } from "../../base/index.ts";
import type { SshContext } from "./context.ts";
import { Denied } from "./denied.ts";
import { formatHostPort } from "./target.ts";

/** What was asked for, as far as it is known. */
export interface Asked {
  readonly user: string | undefined;
  /** `ip:port` of both ends. */
  readonly remoteAddress: string;
  readonly localAddress: string;
  readonly login?: string | undefined;
  /** What the person called the host. */
  readonly target?: string | undefined;
  readonly node?: NodeEntry | undefined;
}

/** What events say of a host. */
export function nodeFields(node: NodeEntry | undefined): EventFields {
  if (node === undefined) return {};
  return { server_id: node.id, server_hostname: node.hostname, server_addr: formatHostPort(node.addr.host, node.addr.port), server_labels: node.labels };
}

/** Name of the lock that refuses, where it is one. */
export function lockOf(error: unknown): string | undefined {
  const lock: unknown = error instanceof Denied ? error.reason?.lock : error instanceof Error ? Reflect.get(error, "lock") : undefined;
  return typeof lock === "string" ? lock : undefined;
}

const maxTarget = 256;

/**
 * Writes a refusal down (`auth`, T3007W, with the rule that failed) and returns what the person is told, with the id that the event has too. A refusal stands where it
 * cannot be written: nothing was let through. What nobody foresaw goes to the gateway's own log.
 */
export function refuse({ recorder, random, logger }: Pick<SshContext, "recorder" | "random" | "logger">, asked: Asked, thrown: unknown): Promise<GatehouseError> {
  // Written down already.
  if (thrown instanceof GatehouseError && thrown.id !== undefined) return Promise.resolve(thrown);
  const id = refusalId(random);
  if (!(thrown instanceof GatehouseError) || thrown.code === "internal") {
    logger.error({ err: thrown, id, user: asked.user }, "an SSH connection failed for a reason of our own");
    return Promise.resolve(new GatehouseError("internal", "the gateway failed to connect you", { id, hint: `an administrator finds the cause in the gateway's log as ${id}` }));
  }
  const { code, message, hint } = thrown;
  const denied = thrown instanceof Denied ? thrown : undefined;
  const lock = lockOf(thrown);
  const event = {
    ...authFailed({ user: asked.user, error: denied?.detail ?? message, id, origin: asked }),
    proto: "ssh",
    login: asked.login,
    target: asked.target?.slice(0, maxTarget),
    ...nodeFields(asked.node),
    rule: denied?.rule ?? "identity",
    role: lock === undefined ? denied?.reason?.role : undefined,
    path: denied?.reason?.path === "" ? undefined : denied?.reason?.path,
    lock,
  };
  return new Promise((resolve) => recorder.write(event, () => resolve(new GatehouseError(code, message, { hint, id }))));
}

/** One line for a terminal: what, what to do, and the id. */
export function refusalLine(error: GatehouseError): string {
  return `${error.message}${error.hint === undefined ? "" : ` (${error.hint})`}${error.id === undefined ? "" : ` (refusal ${error.id})`}`;
}
