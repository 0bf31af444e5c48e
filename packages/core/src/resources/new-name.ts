import type { Path } from "./path.ts";
import type { Problem } from "./problem.ts";
import type { Resource } from "./types.ts";

/** What is wrong with the name of a resource that is to be made, beyond what holds for those that older versions stored. */
export function newNameProblem(resource: Resource, path: Path): Problem | undefined {
  if (resource.metadata.name.includes("/")) return { path, message: 'must not have "/", which stands between kind and name', at: "value" };
  return undefined;
}
