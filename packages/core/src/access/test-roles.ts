import { parseResource, type Role, type Traits } from "../resources/index.ts";
import type { RuleContext } from "./index.ts";

/** For the tests of this folder alone: a role from its spec, as a file would give it. */
export function role(name: string, spec: unknown): Role {
  return parseResource({ kind: "role", version: "v3", metadata: { name }, spec }) as Role;
}

/** A cluster with one label; {@link stage} has another, {@link bare} none. */
export const prod = { name: "prod", labels: { env: "prod" } };
export const stage = { name: "stage", labels: { env: "stage" } };
export const bare = { name: "bare", labels: {} };

/** What a rule of a person of this name sees. */
export function context(name = "ana", traits: Traits = {}, resource?: unknown): RuleContext {
  return { user: { metadata: { name }, spec: { roles: ["dev"], traits } }, resource };
}
