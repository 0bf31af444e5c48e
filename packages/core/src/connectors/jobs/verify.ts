import { createLocalJWKSet, decodeJwt, decodeProtectedHeader, errors, jwtVerify, type JSONWebKeySet, type JWTPayload, type JWTVerifyResult } from "jose";
import { escapeLine } from "../../base/index.ts";
import type { KeySet } from "../../resources/index.ts";
import type { IssuerKeys } from "./keys.ts";
import { JoinRefused } from "./refusal.ts";

/** What a job's JWT is checked against. */
export interface JobExpectation {
  /** Exactly as the JWT says it. */
  readonly issuer: string;
  /** The JWT has to be for one of them. */
  readonly audiences: readonly string[];
  /** The issuer's keys, where they are given; else the issuer is asked. */
  readonly jwks: KeySet | undefined;
  /** ms since the epoch. */
  readonly now: number;
}

/** Public-key signatures alone: with a shared secret whoever verifies could sign. */
const algorithms = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519"];
/** Seconds that clocks may differ by. */
const tolerance = 30;
/** A job's JWT lives for minutes; one that was made longer ago was kept by somebody. ms. */
export const maxJwtAge = 24 * 3_600_000;
/** Characters of a JWT. */
export const maxJwt = 16 * 1024;

const short = (value: unknown): string => escapeLine((typeof value === "string" ? value : value === undefined ? "nothing" : JSON.stringify(value)).slice(0, 200));
const at = (seconds: unknown): string => (typeof seconds === "number" && Math.abs(seconds) < 8e12 ? new Date(seconds * 1000).toISOString() : short(seconds));

function refuse(rule: string, message: string, cause?: unknown, hint?: string): JoinRefused {
  return new JoinRefused(rule, message, { cause, hint });
}

function claimProblem(error: errors.JWTClaimValidationFailed | errors.JWTExpired, expected: JobExpectation): JoinRefused {
  const { claim, payload, reason } = error;
  switch (claim) {
    case "aud":
      return refuse("audience", `the JWT is for ${short(payload.aud)}, not for this cluster`, error, `ask for one whose audience is ${expected.audiences.map(short).join(" or ")}`);
    case "exp":
      return reason === "missing" ? refuse("exp", "the JWT does not say when it ends", error) : refuse("expired", `the JWT ended at ${at(payload.exp)}`, error);
    case "nbf":
      return refuse("not_before", `the JWT is not valid before ${at(payload.nbf)}`, error, "is the clock of the gateway right?");
    case "iat":
      if (reason === "missing") return refuse("issued_at", "the JWT does not say when it was made", error);
      return refuse("issued_at", `the JWT was made at ${at(payload.iat)}: in the future, or more than a day ago`, error, "is the clock of the gateway right?");
    case "iss":
      return refuse("issuer", `the JWT is of ${short(payload.iss)}, not of ${short(expected.issuer)}`, error);
    default:
      return refuse(claim, `the JWT's ${short(claim)} is not right`, error);
  }
}

function problem(error: unknown, expected: JobExpectation, kid: string): unknown {
  if (error instanceof errors.JWTExpired || error instanceof errors.JWTClaimValidationFailed) return claimProblem(error, expected);
  if (error instanceof errors.JWKSNoMatchingKey || error instanceof errors.JWKSMultipleMatchingKeys) return refuse("key", `no key of ${short(expected.issuer)} is the one that the JWT says it is signed with (${kid})`, error);
  if (error instanceof errors.JWSSignatureVerificationFailed) return refuse("signature", `the JWT's signature is not ${short(expected.issuer)}'s`, error);
  if (error instanceof errors.JOSEAlgNotAllowed) return refuse("algorithm", "the JWT is signed in a way that is not accepted", error, `accepted: ${algorithms.join(", ")}`);
  if (error instanceof errors.JOSEError || error instanceof TypeError) return refuse("jwt", "the JWT cannot be read", error);
  return error;
}

interface Peeked {
  readonly issuer: unknown;
  readonly kid: string;
}

/** What an unverified JWT says, to refuse in clear words what would be refused anyway, before any key is asked for. */
function peek(jwt: string): Peeked {
  try {
    const { alg, kid } = decodeProtectedHeader(jwt);
    if (alg === undefined || !algorithms.includes(alg)) throw refuse("algorithm", `the JWT is signed with "${short(alg)}", which is not accepted`, undefined, `accepted: ${algorithms.join(", ")}`);
    return { issuer: decodeJwt(jwt).iss, kid: kid === undefined ? "it names none" : short(kid) };
  } catch (error) {
    if (error instanceof JoinRefused) throw error;
    throw refuse("jwt", "the JWT cannot be read", error);
  }
}

/**
 * The claims of a job's JWT, after checking signature, algorithm, issuer, audience and times (RFC 7519, RFC 8725). Throws {@link JoinRefused} that names the rule,
 * `unavailable` where the issuer's keys cannot be had.
 */
export async function verifyJobJwt(jwt: string, expected: JobExpectation, source: IssuerKeys): Promise<JWTPayload> {
  if (jwt.length > maxJwt) throw refuse("jwt", `the JWT is longer than ${maxJwt} characters`);
  const { issuer, kid } = peek(jwt);
  if (issuer !== expected.issuer) throw refuse("issuer", `the JWT is of ${short(issuer)}, not of ${short(expected.issuer)}`);
  const verify = (set: JSONWebKeySet): Promise<JWTVerifyResult> =>
    jwtVerify(jwt, createLocalJWKSet(set), {
      algorithms,
      issuer: expected.issuer,
      audience: [...expected.audiences],
      clockTolerance: tolerance,
      currentDate: new Date(expected.now),
      maxTokenAge: maxJwtAge / 1000,
      requiredClaims: ["exp", "iat"],
    });
  try {
    if (expected.jwks) return (await verify(expected.jwks as unknown as JSONWebKeySet)).payload;
    try {
      return (await verify(await source.keys(expected.issuer, false))).payload;
    } catch (error) {
      // The issuer may have begun to sign with a new key since it was asked.
      if (!(error instanceof errors.JWKSNoMatchingKey)) throw error;
      return (await verify(await source.keys(expected.issuer, true))).payload;
    }
  } catch (error) {
    throw problem(error, expected, kid);
  }
}
