import { escapeLine } from "../base/index.ts";
import { formatPath, implicitRoleName, locate, type Path, type Role } from "../resources/index.ts";
import type { Reason } from "./types.ts";

/** A reason that points into a role. */
export function reasonIn(role: Role, effect: Reason["effect"], path: Path, text: string): Reason {
  const shown = formatPath(path);
  return {
    effect,
    role: role.metadata.name,
    path: shown,
    // Found when it is asked for: a decision on the way of a request needs no lines.
    get line() {
      return role.metadata.name === implicitRoleName ? undefined : locate(role, shown)?.line;
    },
    text,
  };
}

/** A reason's text for a sentence that has named the cluster already. */
export function aboutCluster(text: string, cluster: string): string {
  const shown = escapeLine(cluster);
  return text.replaceAll(` in cluster ${shown}`, " there").replaceAll(`cluster ${shown}`, "it");
}

/** A refusal because nothing allows it: no role to point at but the one that everyone has. */
export function nothingAllows(text: string): Reason {
  return { effect: "deny", role: implicitRoleName, path: "", line: undefined, text };
}
