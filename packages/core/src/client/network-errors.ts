import { GatehouseError, errorMessage, escapeLine, systemErrorCode } from "../base/index.ts";

/** Codes of TLS failures that mean: no authority that is trusted here vouches for this certificate. */
const untrusted = new Set([
  "DEPTH_ZERO_SELF_SIGNED_CERT",
  "SELF_SIGNED_CERT_IN_CHAIN",
  "UNABLE_TO_GET_ISSUER_CERT",
  "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
  "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
  "CERT_UNTRUSTED",
  "CERT_SIGNATURE_FAILURE",
]);

/** Whether a connection failed only because the server's authority is not known here. */
export function isUntrusted(error: unknown): boolean {
  return untrusted.has(systemErrorCode(error) ?? "");
}

/** What went wrong between here and the gateway, in words, with what to do. */
function explain(code: string, address: string, error: unknown): readonly [cause: string, hint: string] {
  switch (code) {
    case "ECONNREFUSED":
      return ["the connection was refused", "check the port, and that the gateway runs there"];
    case "ENOTFOUND":
    case "EAI_AGAIN":
      return ["the name cannot be resolved", "check the spelling and your network"];
    case "ETIMEDOUT":
    case "EHOSTUNREACH":
    case "ENETUNREACH":
      return ["there is no way to it", "check your network or VPN"];
    case "ECONNRESET":
    case "EPIPE":
      return ["the connection was cut", "try again; if it stays so, something between here and there stops it"];
    case "CERT_HAS_EXPIRED":
      return ["its certificate has expired", "the gateway's operator must renew it; check this machine's clock too"];
    case "CERT_NOT_YET_VALID":
      return ["its certificate is not valid yet", "check this machine's clock"];
    case "ERR_TLS_CERT_ALTNAME_INVALID":
      return ["its certificate is for another name", "use the name that the gateway's operator gave you"];
    case "ERR_SSL_WRONG_VERSION_NUMBER":
    case "ERR_SSL_PACKET_LENGTH_TOO_LONG":
    case "EPROTO":
      return ["what answers there does not speak TLS", "check the port: the web port is 3080 unless told otherwise"];
    default:
      if (untrusted.has(code)) return ["no authority known here vouches for its certificate", `log in with the pin that the gateway prints at start: tsh login --proxy=${address.replace(/:3080$/, "")} --ca-pin=sha256:…`];
      return [escapeLine(errorMessage(error)), "check your network and the address"];
  }
}

/** `unavailable`: the gateway at this address cannot be reached, and why. */
export function unreachable(address: string, error: unknown): GatehouseError {
  if (error instanceof GatehouseError) return error;
  const nested: unknown = error instanceof AggregateError ? error.errors[0] : error;
  const [cause, hint] = explain(systemErrorCode(error) ?? systemErrorCode(nested) ?? "", address, nested);
  return new GatehouseError("unavailable", `cannot reach the gateway ${address}: ${cause}`, { hint, cause: error });
}
