import { botPrefix } from "./join-methods.ts";
import type { Path } from "./path.ts";
import type { Problem } from "./problem.ts";
import type { Resource } from "./types.ts";

/** What the audit log calls the administrator of the gateway's host. */
export const hostAdministrator = "local-admin";

/** Why nobody may be called so, or undefined. */
export function reservedNameProblem(name: string): string | undefined {
  if (name.toLowerCase().startsWith(botPrefix)) return `is how bots are called ("${botPrefix}NAME"), and nobody else may be`;
  return name.toLowerCase() === hostAdministrator ? `is what the administrator of the gateway's host is called ("${hostAdministrator}"), and nobody else may be` : undefined;
}

/** What is wrong with the name of a resource that is to be made, beyond what holds for those that older versions stored. */
export function newNameProblem(resource: Resource, path: Path): Problem | undefined {
  if (resource.metadata.name.includes("/")) return { path, message: 'must not have "/", which stands between kind and name', at: "value" };
  const reserved = resource.kind === "user" ? reservedNameProblem(resource.metadata.name) : undefined;
  return reserved === undefined ? undefined : { path, message: reserved, at: "value" };
}
