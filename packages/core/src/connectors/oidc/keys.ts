import { z } from "zod";
import type { JWTPayload } from "jose";
import { GatehouseError, type Clock } from "../../base/index.ts";
import type { ProviderHttp } from "../http.ts";
import { keep } from "./kept.ts";
import { oidcLimits, signatureAlgorithms } from "./limits.ts";
import type { Libraries } from "./load.ts";
import { badToken } from "./problems.ts";

const keySet = z.object({ keys: z.array(z.looseObject({ kty: z.string().max(64) })).max(oidcLimits.keys) });

/** A provider's keys. */
export interface ProviderKeys {
  /**
   * The claims of a token that one of the keys signed. Keys are read anew where the token is by none of those that are known: they may have been rotated a
   * moment ago. Throws `access_denied` where the signature does not hold, `internal` where the keys cannot be read.
   */
  verify(token: string): Promise<JWTPayload>;
  /** Has the keys read anew the next time. */
  doubt(): void;
}

type KeyFinder = ReturnType<Libraries["jose"]["createLocalJWKSet"]>;

/** What `jose` says where other keys might verify. */
const maybeRotated = new Set(["ERR_JWKS_NO_MATCHING_KEY", "ERR_JWS_SIGNATURE_VERIFICATION_FAILED"]);

function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : "";
}

/** The keys behind a `jwks_uri`, read when first needed. */
export function createProviderKeys(jwksUri: string, http: ProviderHttp, who: string, { jose }: Libraries, clock: Clock): ProviderKeys {
  const kept = keep(async () => {
    const set = await http.json({ what: "the request for its keys", url: jwksUri, headers: { accept: "application/json, application/jwk-set+json" } }, keySet);
    return jose.createLocalJWKSet(set);
  }, clock);

  async function check(token: string, keys: KeyFinder): Promise<JWTPayload> {
    // Times and parties are looked at where the rest of the token is: here it is the signature alone.
    const { payload } = await jose.compactVerify(token, keys, { algorithms: [...signatureAlgorithms] });
    return JSON.parse(new TextDecoder().decode(payload)) as JWTPayload;
  }

  return {
    async verify(token) {
      const known = await kept.get();
      try {
        return await check(token, known);
      } catch (error) {
        if (!maybeRotated.has(codeOf(error))) throw problem(who, error);
        const renewed = await kept.renew(known);
        if (!renewed) throw problem(who, error);
        return await check(token, renewed).catch((again: unknown) => {
          throw problem(who, again);
        });
      }
    },
    doubt: () => kept.doubt(),
  };
}

function problem(who: string, error: unknown): GatehouseError {
  if (error instanceof GatehouseError) return error;
  switch (codeOf(error)) {
    case "ERR_JWKS_NO_MATCHING_KEY":
      return badToken(who, "is signed by a key that it does not publish");
    case "ERR_JWKS_MULTIPLE_MATCHING_KEYS":
      return badToken(who, "does not name the key that signed it (kid), and it publishes several");
    case "ERR_JWS_SIGNATURE_VERIFICATION_FAILED":
      return badToken(who, "has a signature that does not hold");
    case "ERR_JOSE_ALG_NOT_ALLOWED":
      return badToken(who, "is not signed in a way that counts (RS, PS, ES, EdDSA)");
    default:
      return badToken(who, "is malformed, or signed by a key that cannot be used");
  }
}
