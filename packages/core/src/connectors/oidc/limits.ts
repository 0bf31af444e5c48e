/** Limits of OIDC logins. Sizes in bytes, ages of what is kept in ms, times of tokens in seconds. */
export const oidcLimits = {
  /** Any one answer of a provider. */
  body: 256 * 1024,
  /** A parameter of the callback, in characters. */
  parameter: 8192,
  /** How long the discovery document and the keys count as fresh. */
  fresh: 10 * 60_000,
  /** What went wrong may be the fault of what is kept: it is read anew then, unless it is as young as this. */
  young: 5_000,
  /** Times that keys are read anew out of turn, at once and afterwards each minute. */
  renewals: 6,
  /** By how much the provider's clock may be wrong. */
  clockSkew: 60,
  /** How long ago an ID token may have been issued: it is made when it is asked for. */
  tokenAge: 600,
  /** Keys of a provider. */
  keys: 100,
  /** `sub`, in characters (OpenID Connect Core §2). */
  subject: 255,
  /** Traits of a person, values of a trait, characters of a name and of a value: what a user record takes. */
  traits: 200,
  values: 1000,
  name: 256,
  value: 1024,
  /** Pages of Google's groups. */
  pages: 100,
} as const;

/** What an ID token may be signed by: a key pair, never a shared secret and never nothing. */
export const signatureAlgorithms: readonly string[] = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519"];
