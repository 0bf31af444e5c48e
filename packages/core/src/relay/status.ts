import { escapeText } from "../base/index.ts";
import type { StreamEnd } from "../formats/index.ts";

/** Kubernetes' own reasons where it has one for the status; the HTTP phrase in its style elsewhere. */
const reasons: Readonly<Record<number, string>> = {
  400: "BadRequest",
  401: "Unauthorized",
  403: "Forbidden",
  404: "NotFound",
  405: "MethodNotAllowed",
  408: "Timeout",
  413: "RequestEntityTooLarge",
  421: "MisdirectedRequest",
  429: "TooManyRequests",
  431: "RequestHeaderFieldsTooLarge",
  500: "InternalError",
  502: "BadGateway",
  503: "ServiceUnavailable",
  504: "Timeout",
};

/** A refusal as a Kubernetes client understands it. Clients print the message as it is, on terminals. */
export function refusalStatus(code: number, message: string): StreamEnd {
  return { code, reason: reasons[code] ?? "InternalError", message: escapeText(message) };
}
