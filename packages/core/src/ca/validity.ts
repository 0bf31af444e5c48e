import { GatehouseError, type Clock } from "../base/index.ts";
import type { Authority } from "./authority.ts";

/** Certificates are valid from a minute ago, for peers whose clocks are behind. */
const backdate = 60_000;

/** When a certificate is valid: ms since the epoch, whole seconds; `validAfter` and `validBefore` in seconds. */
export interface Validity {
  readonly notBefore: number;
  readonly expires: number;
  readonly validAfter: bigint;
  readonly validBefore: bigint;
}

/**
 * Validity for `ttl` ms from now, never longer than the authority's own certificate, nor beyond `latest` (ms since the epoch). Throws `bad_parameter` for a ttl under a second or over
 * `maxTtl`, `unavailable` when the authority itself has ended.
 */
export function validityFor(ttl: number, maxTtl: number, clock: Clock, authority: Authority, latest = Number.POSITIVE_INFINITY): Validity {
  if (!(ttl >= 1000 && ttl <= maxTtl)) throw new GatehouseError("bad_parameter", `a certificate cannot be issued for ${ttl} ms`, { hint: `ask for 1000 to ${maxTtl} ms` });
  const now = clock.now();
  const end = authority.tls?.certificate.notAfter ?? Number.POSITIVE_INFINITY;
  if (latest < now + 1000) throw new GatehouseError("bad_parameter", "a certificate cannot end before it begins");
  const expires = Math.floor(Math.min(now + ttl, end, latest) / 1000) * 1000;
  if (expires <= now) throw new GatehouseError("unavailable", `the certificate authority "${authority.trust.kind}" has expired`, { hint: "rotate it" });
  const notBefore = Math.floor((now - backdate) / 1000) * 1000;
  return { notBefore, expires, validAfter: BigInt(notBefore / 1000), validBefore: BigInt(expires / 1000) };
}
