import type { SAML } from "@node-saml/node-saml";
import type { SamlConnector } from "../../resources/index.ts";
import type { IdentityProvider } from "./identity-provider.ts";
import { nameFormats, requestId } from "./names.ts";

/** What the provider's answer has to be signed by, and which login it is for. */
export interface ServiceProviderUse {
  readonly state: string;
  readonly responseSigned?: boolean | undefined;
  readonly assertionSigned?: boolean | undefined;
}

/**
 * The library as one login uses it. Its own checks of times are off, since they know no other clock than the machine's; those of InResponseTo, since it would
 * have to keep what was asked; and those of the audience, for clear words. All are done here, on what was verified.
 */
export async function serviceProvider({ spec }: SamlConnector, provider: IdentityProvider, use: ServiceProviderUse): Promise<SAML> {
  const { SAML: Library } = await import("./library.ts");
  const signing = spec.signing_key_pair;
  return new Library({
    callbackUrl: spec.acs,
    issuer: spec.service_provider_issuer,
    audience: false,
    entryPoint: provider.sso,
    idpCert: [...provider.certificates],
    wantAuthnResponseSigned: use.responseSigned ?? true,
    wantAssertionsSigned: use.assertionSigned ?? true,
    acceptedClockSkewMs: -1,
    // AD FS refuses a policy with a format that no rule of it makes.
    identifierFormat: spec.provider === "adfs" ? null : nameFormats.unspecified,
    disableRequestedAuthnContext: true,
    signatureAlgorithm: "sha256",
    digestAlgorithm: "sha256",
    generateUniqueId: () => requestId(use.state),
    ...(signing?.private_key === undefined ? {} : { privateKey: signing.private_key, publicCert: signing.cert }),
    ...(spec.assertion_key_pair?.private_key === undefined ? {} : { decryptionPvk: spec.assertion_key_pair.private_key }),
  });
}

/** This gateway's metadata for the provider (SAML metadata §2.4.4): entity id, certificates and where answers go. */
export async function samlServiceMetadata({ spec }: SamlConnector): Promise<string> {
  const { generateServiceProviderMetadata } = await import("./library.ts");
  const { signing_key_pair: signing, assertion_key_pair: opening } = spec;
  return generateServiceProviderMetadata({
    issuer: spec.service_provider_issuer,
    callbackUrl: spec.acs,
    identifierFormat: nameFormats.unspecified,
    wantAssertionsSigned: true,
    signatureAlgorithm: "sha256",
    // Fixed, so that the same connector has the same document.
    generateUniqueId: () => requestId(spec.service_provider_issuer),
    ...(signing?.private_key === undefined ? {} : { privateKey: signing.private_key, publicCerts: signing.cert }),
    ...(opening?.private_key === undefined ? {} : { decryptionPvk: opening.private_key, decryptionCert: opening.cert }),
  });
}
