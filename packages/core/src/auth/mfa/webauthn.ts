import { z } from "zod";
import type { AuthenticationResponseJSON, PublicKeyCredentialCreationOptionsJSON, PublicKeyCredentialRequestOptionsJSON, RegistrationResponseJSON } from "@simplewebauthn/server";
import { GatehouseError, errorMessage } from "../../base/index.ts";
import { relyingPartyProblem } from "../../resources/index.ts";
import type { Assertion, Policy, RelyingParty, WebauthnDevice } from "./types.ts";

const library = async () => import("./webauthn-library.ts");

/** ms that a challenge lives. */
export const challengeTime = 180_000;

const base64url = z.string().min(1).max(16 * 1024).regex(/^[A-Za-z0-9_-]+$/);
const common = { id: base64url, rawId: base64url, type: z.literal("public-key"), authenticatorAttachment: z.string().max(64).nullish(), clientExtensionResults: z.record(z.string().max(100), z.unknown()) };

/** `RegistrationResponseJSON` (WebAuthn 3 §5.1). */
const registration = z.object({ ...common, response: z.object({ clientDataJSON: base64url, attestationObject: base64url, transports: z.array(z.string().max(32)).max(10).optional() }) });
/** `AuthenticationResponseJSON`. */
const authentication = z.object({ ...common, response: z.object({ clientDataJSON: base64url, authenticatorData: base64url, signature: base64url, userHandle: base64url.nullish() }) });

/** The relying party of this cluster, or undefined where its pages have no host name: browsers have no keys for addresses. */
export function relyingParty(policy: Policy, urls: readonly string[], name: string): RelyingParty | undefined {
  const parsed = urls.map((url) => new URL(url));
  const id = policy.rpId ?? parsed[0]?.hostname.toLowerCase();
  if (id === undefined || relyingPartyProblem(id) !== undefined) return undefined;
  const origins = parsed.filter(({ hostname }) => hostname === id || hostname.endsWith(`.${id}`)).map(({ origin }) => origin);
  return origins.length === 0 ? undefined : { id, name: `Gatehouse ${name}`, origins };
}

/** What the browser is told to make a credential by. `handle` is what the key remembers of the user: no name. */
export async function registrationOptions(
  party: RelyingParty,
  user: { readonly name: string; readonly handle: string },
  known: readonly WebauthnDevice[],
  challenge: string,
): Promise<PublicKeyCredentialCreationOptionsJSON> {
  const { generateRegistrationOptions } = await library();
  return generateRegistrationOptions({
    rpID: party.id,
    rpName: party.name,
    userName: user.name,
    userID: new TextEncoder().encode(user.handle.slice(0, 64)),
    challenge: Uint8Array.from(Buffer.from(challenge, "base64url")),
    timeout: challengeTime,
    attestationType: "none",
    excludeCredentials: known.map(({ credentialId, transports }) => ({ id: credentialId, transports: [...transports] })),
    authenticatorSelection: { residentKey: "preferred", userVerification: "preferred" },
  });
}

/** A credential that was made for this challenge here. Throws `bad_parameter`. */
export async function verifyRegistration(party: RelyingParty, response: unknown, challenge: string): Promise<Pick<WebauthnDevice, "credentialId" | "publicKey" | "counter" | "transports">> {
  const refuse = (cause: unknown): GatehouseError => new GatehouseError("bad_parameter", "The key's answer could not be taken.", { hint: "try once more", cause });
  const read = registration.safeParse(response);
  if (!read.success) throw refuse(read.error);
  // An answer to a challenge that was used or has ended.
  if (challenge === "") throw refuse(undefined);
  const { verifyRegistrationResponse } = await library();
  let verified: Awaited<ReturnType<typeof verifyRegistrationResponse>>;
  try {
    verified = await verifyRegistrationResponse({ response: read.data as RegistrationResponseJSON, expectedChallenge: challenge, expectedOrigin: [...party.origins], expectedRPID: party.id, requireUserVerification: false });
  } catch (error) {
    throw refuse(error);
  }
  if (!verified.verified) throw refuse(undefined);
  const { credential } = verified.registrationInfo;
  return { credentialId: credential.id, publicKey: Buffer.from(credential.publicKey).toString("base64url"), counter: credential.counter, transports: read.data.response.transports ?? [] };
}

/** What the browser is told to ask a key by. */
export async function authenticationOptions(party: RelyingParty, credentials: readonly { readonly id: string; readonly transports: readonly string[] }[], challenge: string): Promise<PublicKeyCredentialRequestOptionsJSON> {
  const { generateAuthenticationOptions } = await library();
  return generateAuthenticationOptions({
    rpID: party.id,
    challenge: Uint8Array.from(Buffer.from(challenge, "base64url")),
    timeout: challengeTime,
    allowCredentials: credentials.map(({ id, transports }) => ({ id, ...(transports.length === 0 ? {} : { transports: [...transports] }) })),
    userVerification: "preferred",
  });
}

/** The id of the credential that an answer says it is by; undefined for what is no answer. */
export function credentialOf(response: unknown): string | undefined {
  const read = authentication.safeParse(response);
  return read.success ? read.data.id : undefined;
}

/** Checks challenge, origin, relying party, signature and counter. Returns the key's new counter. Throws the reason, for the audit log. */
export async function verifyAssertion(party: RelyingParty, { response, challenge }: Assertion, device: Pick<WebauthnDevice, "credentialId" | "publicKey" | "counter">): Promise<number> {
  const read = authentication.parse(response);
  const { verifyAuthenticationResponse } = await library();
  try {
    if (challenge === "") throw new GatehouseError("access_denied", "an answer to a challenge that was used, has ended or never was");
    const { verified, authenticationInfo } = await verifyAuthenticationResponse({
      response: read as AuthenticationResponseJSON,
      expectedChallenge: challenge,
      expectedOrigin: [...party.origins],
      expectedRPID: party.id,
      requireUserVerification: false,
      credential: { id: device.credentialId, publicKey: Uint8Array.from(Buffer.from(device.publicKey, "base64url")), counter: device.counter },
    });
    if (!verified) throw new GatehouseError("access_denied", "the key's signature does not hold");
    return authenticationInfo.newCounter;
  } catch (error) {
    throw error instanceof GatehouseError ? error : new GatehouseError("access_denied", errorMessage(error).slice(0, 300), { cause: error });
  }
}
