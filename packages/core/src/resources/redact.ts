import { isSecretName } from "./join-methods.ts";
import type { Resource } from "./types.ts";

/**
 * Stands for a hidden token name. It is no valid name, so a listing that was fed back to `tctl create` cannot make a token
 * that everyone can guess.
 */
export const hiddenName = "********";

/** The resource without its secrets: a connector's client secret or private keys, a token's name. */
export function redact<R extends Resource>(resource: R): R;
export function redact(resource: Resource): Resource {
  if (resource.kind === "token") return !isSecretName(resource) ? resource : { ...resource, metadata: { ...resource.metadata, name: hiddenName } };
  if (resource.kind === "github") return { ...resource, spec: { ...resource.spec, client_secret: undefined } };
  if (resource.kind === "oidc") return { ...resource, spec: { ...resource.spec, client_secret: undefined } };
  if (resource.kind === "saml") {
    const { signing_key_pair: signing, assertion_key_pair: assertion } = resource.spec;
    return { ...resource, spec: { ...resource.spec, signing_key_pair: signing && { cert: signing.cert }, assertion_key_pair: assertion && { cert: assertion.cert } } };
  }
  return resource;
}
