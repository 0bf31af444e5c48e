import { systemErrorCode, toGatehouseError } from "@gatehouse/core/base";
import { unreachable } from "@gatehouse/core/client";
import type { StreamEnd } from "@gatehouse/core/formats";
import { refusalStatus } from "@gatehouse/core/relay";
import type { RequestEntry } from "./requests.ts";
import type { Way } from "./route.ts";

/** One request on its way: how it goes to the gateway, where it is counted, and how doubts about the login are told. */
export interface Passing {
  readonly way: Way;
  /** `host:port` of the gateway. */
  readonly gateway: string;
  /** Path and query at the cluster. */
  readonly target: string;
  /** What stands before every path of the cluster here; empty where there is nothing. */
  readonly prefix: string;
  readonly entry: RequestEntry;
  /** The gateway answered 401. */
  readonly refused: () => void;
}

const late = new Set(["UND_ERR_CONNECT_TIMEOUT", "UND_ERR_HEADERS_TIMEOUT", "ETIMEDOUT"]);

/** Why the gateway gave no answer. */
export function noAnswer(error: Error, gateway: string): StreamEnd {
  if (late.has(systemErrorCode(error) ?? "")) return refusalStatus(504, `the gateway ${gateway} did not answer in time; check your network or VPN`);
  if (systemErrorCode(error) === "UND_ERR_SOCKET") return refusalStatus(503, `cannot reach the gateway ${gateway}: the connection was cut; try again`);
  return refusalOf(unreachable(gateway, error));
}

/** What a refusal of this machine says to a Kubernetes client. */
export function refusalOf(thrown: unknown): StreamEnd {
  const { code, status, message, hint } = toGatehouseError(thrown);
  return refusalStatus(code === "unavailable" ? 503 : status, hint === undefined ? message : `${message}; ${hint}`);
}
