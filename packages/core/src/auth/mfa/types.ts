import type { SecondFactor } from "../../resources/index.ts";

/** What every device has: what its owner calls it, and when (ms since the epoch) it was added and last used. */
interface DeviceBase {
  readonly id: string;
  readonly name: string;
  readonly created: number;
  readonly lastUsed?: number | undefined;
}

/** An authenticator app (RFC 6238). */
export interface TotpDevice extends DeviceBase {
  readonly type: "totp";
  /** 20 bytes in base32. */
  readonly secret: string;
  /** The last step whose code was taken: neither it nor one before it is taken again. */
  readonly lastStep: number;
}

/** A security key or passkey. */
export interface WebauthnDevice extends DeviceBase {
  readonly type: "webauthn";
  /** Credential id, base64url. */
  readonly credentialId: string;
  /** COSE key, base64url. */
  readonly publicKey: string;
  readonly counter: number;
  readonly transports: readonly string[];
}

/** A second factor that somebody has. */
export type Device = TotpDevice | WebauthnDevice;

/** One set of recovery codes, as it is kept: what is left of it, as HMAC-SHA-256 (hex) under its own key (hex). */
export interface RecoverySet {
  readonly created: number;
  readonly key: string;
  readonly digests: readonly string[];
}

/** All second factors of one user. */
export interface Factors {
  readonly devices: readonly Device[];
  readonly recovery?: RecoverySet | undefined;
}

/** A device as it may be shown. */
export interface DeviceView {
  readonly name: string;
  readonly type: Device["type"];
  readonly created: number;
  readonly lastUsed?: number | undefined;
}

/** Second factors of a user as they may be shown. */
export interface FactorsView {
  readonly devices: readonly DeviceView[];
  /** Recovery codes that have not been used. */
  readonly recoveryCodes: number;
  /** When they were made; absent where there are none. */
  readonly recoveryCreated?: number | undefined;
}

/** What the cluster asks of local users beside their password. */
export interface Policy {
  readonly secondFactor: SecondFactor;
  /** Relying party that an administrator has named; absent: the host of the public address. */
  readonly rpId: string | undefined;
}

/** Who WebAuthn credentials are for. */
export interface RelyingParty {
  readonly id: string;
  readonly name: string;
  /** `https://host[:port]` of the pages that may ask for one. */
  readonly origins: readonly string[];
}

/** An answer of a key and the challenge that it must be to. */
export interface Assertion {
  /** `AuthenticationResponseJSON` of WebAuthn, not yet read. */
  readonly response: unknown;
  readonly challenge: string;
}

/** What somebody shows as their second factor. */
export interface Proof {
  /** A code of an app, or a recovery code; empty for none. */
  readonly code: string;
  readonly assertion?: Assertion | undefined;
}

/** A proof that holds: the factors as they are once it is used up. */
export interface Used {
  readonly factors: Factors;
  readonly method: Device["type"] | "recovery";
  /** The device's name, for the audit log. */
  readonly device?: string | undefined;
}

/** Why a proof does not hold, for the audit log alone. */
export interface Unproved {
  readonly reason: string;
}

/** Functions that cost time or show secrets: injected where a test counts them. */
export interface MfaHashes {
  /** The six digits of a step (RFC 6238: SHA-1, 30 s). */
  totp(secret: string, step: number): string;
  /** Digest of a recovery code, hex. */
  recovery(key: string, code: string): string;
  /** The key's new counter. Throws for an answer that does not hold. */
  assertion(party: RelyingParty, given: Assertion, device: Pick<WebauthnDevice, "credentialId" | "publicKey" | "counter">): Promise<number>;
}
