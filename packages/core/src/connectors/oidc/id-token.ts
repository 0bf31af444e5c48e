import { createHash } from "node:crypto";
import { z } from "zod";
import type { Clock } from "../../base/index.ts";
import { quote } from "../quote.ts";
import type { ProviderKeys } from "./keys.ts";
import { oidcLimits } from "./limits.ts";
import { badToken } from "./problems.ts";

/** Claims as JSON has them. */
export type Claims = Readonly<Record<string, unknown>>;

/** An ID token beside its access token, and whom it has to be for. */
export interface TokenCheck {
  readonly idToken: string;
  readonly accessToken: string;
  readonly clientId: string;
  /** The provider in messages. */
  readonly who: string;
  readonly keys: ProviderKeys;
  readonly clock: Clock;
}

const header = z.object({ alg: z.string().max(64) });
const checked = z.object({
  sub: z.string().min(1).max(oidcLimits.subject),
  iat: z.number(),
  azp: z.string().max(1024).optional(),
  at_hash: z.string().max(256).optional(),
});

/**
 * The claims of an ID token that `openid-client` has already found to be for this login (issuer, audience, nonce, expiry): checks the signature, and what
 * the library leaves to its user (OpenID Connect Core §3.1.3.7 and §3.1.3.8): `iat`, `azp` also beside one audience, `at_hash`. Throws `access_denied`.
 */
export async function verifyIdToken({ idToken, accessToken, clientId, who, keys, clock }: TokenCheck): Promise<Claims> {
  const claims: Claims = await keys.verify(idToken);
  const parsed = checked.safeParse(claims);
  if (!parsed.success) throw badToken(who, `has no usable claim ${quote(String(parsed.error.issues[0]?.path[0] ?? ""))}`);
  const { iat, azp, at_hash: atHash } = parsed.data;
  const now = clock.now() / 1000;
  if (iat > now + oidcLimits.clockSkew) throw badToken(who, "says that it was issued in the future (iat): one of the two clocks is wrong");
  if (iat < now - oidcLimits.tokenAge - oidcLimits.clockSkew) throw badToken(who, `was issued more than ${String(oidcLimits.tokenAge / 60)} minutes ago (iat): it is not for this login, or one of the two clocks is wrong`);
  if (azp !== undefined && azp !== clientId) throw badToken(who, `was issued to another application (azp ${quote(azp)})`);
  if (atHash !== undefined && !isHalfHash(atHash, accessToken, idToken)) throw badToken(who, "does not belong to the access token beside it (at_hash)");
  return claims;
}

function isHalfHash(expected: string, accessToken: string, idToken: string): boolean {
  const { alg } = header.parse(JSON.parse(Buffer.from(idToken.split(".", 1)[0] ?? "", "base64url").toString("utf8")));
  const bits = /^(?:RS|PS|ES)(256|384|512)$/.exec(alg)?.[1] ?? "512";
  const digest = createHash(`sha${bits}`).update(accessToken, "ascii").digest();
  return digest.subarray(0, digest.length / 2).toString("base64url") === expected;
}
