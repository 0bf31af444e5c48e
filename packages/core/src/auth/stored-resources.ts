import { z } from "zod";
import { GatehouseError } from "../base/index.ts";
import { hiddenName, parseResource, redact, resourceToJson, type Bot, type Connector, type KeyPair, type Kind, type Lock, type Node, type ProvisionToken, type Resource, type Role, type User } from "../resources/index.ts";
import type { StoredItem } from "../store/index.ts";
import { digest } from "./records.ts";
import { keptUntil } from "./users.ts";

/** What the store keeps of a resource. */
export interface StoredForm {
  readonly kind: Kind;
  readonly name: string;
  readonly value: string;
  readonly secret: string | undefined;
  readonly expires: number | undefined;
}

/** A resource's name in the store: a token's own name is its secret, so its hash stands in. */
export function storedName(kind: Kind, name: string): string {
  return kind === "token" ? digest(name) : name;
}

/** The name by which a resource is told, in answers and in the audit log. */
export function shownName(kind: Kind, resource: Resource | undefined, name: string): string {
  return kind !== "token" ? name : resource === undefined ? hiddenName : redact(resource).metadata.name;
}

/** Private keys of a SAML connector, PEM, as its secret in the store. */
const samlKeys = z.object({ signing: z.string().optional(), assertion: z.string().optional() });

function secretOf(resource: Resource): string | undefined {
  switch (resource.kind) {
    case "token":
      // A bot's one-use token is told once: nothing but its digest is kept.
      return resource.spec.join_method === undefined ? resource.metadata.name : undefined;
    case "github":
    case "oidc":
      return resource.spec.client_secret;
    case "saml":
      return JSON.stringify({ signing: resource.spec.signing_key_pair?.private_key, assertion: resource.spec.assertion_key_pair?.private_key } satisfies z.infer<typeof samlKeys>);
    default:
      return undefined;
  }
}

/** The resource with the secret that {@link secretOf} took out of it. */
function withSecret(resource: Resource, secret: string): Resource {
  switch (resource.kind) {
    case "token":
      return { ...resource, metadata: { ...resource.metadata, name: secret } };
    case "github":
      return { ...resource, spec: { ...resource.spec, client_secret: secret } };
    case "oidc":
      return { ...resource, spec: { ...resource.spec, client_secret: secret } };
    case "saml": {
      const { signing, assertion } = samlKeys.parse(JSON.parse(secret));
      const { signing_key_pair: signingPair, assertion_key_pair: assertionPair } = resource.spec;
      const pair = (known: KeyPair | undefined, key: string | undefined): KeyPair | undefined => known && { ...known, private_key: key };
      return { ...resource, spec: { ...resource.spec, signing_key_pair: pair(signingPair, signing), assertion_key_pair: pair(assertionPair, assertion) } };
    }
    default:
      return resource;
  }
}

/** The resource as it is stored; secrets apart from the rest. */
export function toStored(resource: Resource): StoredForm {
  const { name } = resource.metadata;
  const end = keptUntil(resource);
  return {
    kind: resource.kind,
    name: storedName(resource.kind, name),
    value: JSON.stringify(resourceToJson(redact(resource))),
    secret: secretOf(resource),
    expires: Number.isFinite(end) ? end : undefined,
  };
}

/** Reads a resource back. Throws `internal` for one that this version cannot read. */
export function fromStored(item: StoredItem, options: { readonly withSecrets: boolean }): Resource {
  let resource: Resource;
  try {
    resource = parseResource(JSON.parse(item.value), { redacted: true });
  } catch (error) {
    throw new GatehouseError("internal", `the stored ${item.kind} "${item.kind === "token" ? "********" : item.name}" cannot be read by this version`, { cause: error });
  }
  const { secret } = item;
  return options.withSecrets && secret !== undefined ? withSecret(resource, secret) : resource;
}

function wrongKind(item: StoredItem): GatehouseError {
  return new GatehouseError("internal", `the stored ${item.kind} "${item.name}" is of another kind`);
}

/** {@link fromStored} for a user. */
export function readUser(item: StoredItem): User {
  const resource = fromStored(item, { withSecrets: false });
  if (resource.kind !== "user") throw wrongKind(item);
  return resource;
}

/** {@link fromStored} for a role. */
export function readRole(item: StoredItem): Role {
  const resource = fromStored(item, { withSecrets: false });
  if (resource.kind !== "role") throw wrongKind(item);
  return resource;
}

/** {@link fromStored} for a connector, with its secret. */
export function readConnector(item: StoredItem): Connector {
  const resource = fromStored(item, { withSecrets: true });
  if (resource.kind !== "github" && resource.kind !== "oidc" && resource.kind !== "saml") throw wrongKind(item);
  return resource;
}

/** {@link fromStored} for a bot. */
export function readBot(item: StoredItem): Bot {
  const resource = fromStored(item, { withSecrets: false });
  if (resource.kind !== "bot") throw wrongKind(item);
  return resource;
}

/** {@link fromStored} for a token. */
export function readToken(item: StoredItem): ProvisionToken {
  const resource = fromStored(item, { withSecrets: false });
  if (resource.kind !== "token") throw wrongKind(item);
  return resource;
}

/** {@link fromStored} for a lock. */
export function readLock(item: StoredItem): Lock {
  const resource = fromStored(item, { withSecrets: false });
  if (resource.kind !== "lock") throw wrongKind(item);
  return resource;
}

/** {@link fromStored} for a host. */
export function readNode(item: StoredItem): Node {
  const resource = fromStored(item, { withSecrets: false });
  if (resource.kind !== "node") throw wrongKind(item);
  return resource;
}
