import type { Resource } from "./types.ts";

/** When a resource ends, RFC 3339, and the field that says so. */
export interface Expiry {
  readonly field: "metadata.expires" | "spec.expires";
  readonly time: string;
}

/** When a resource ends: the earlier of the two ends that a user may have; undefined for one that stays. */
export function expiryOf(resource: Resource): Expiry | undefined {
  const { expires: kept } = resource.metadata;
  const own = resource.kind === "user" ? resource.spec.expires : undefined;
  if (own !== undefined && (kept === undefined || Date.parse(own) < Date.parse(kept))) return { field: "spec.expires", time: own };
  return kept === undefined ? undefined : { field: "metadata.expires", time: kept };
}
