import { z } from "zod";
import { GatehouseError, escapeLine } from "../../base/index.ts";
import type { AdminCluster } from "./admin-cluster.ts";
import { resourceOf, type Manifest } from "./manifests.ts";

interface Right {
  readonly verb: string;
  readonly group: string;
  readonly resource: string;
  readonly namespace?: string | undefined;
  readonly name?: string | undefined;
}

const reviewSchema = z.object({ status: z.object({ allowed: z.boolean() }) });

/** Whether a right is there; undefined where the API server would not say. */
async function review(cluster: AdminCluster, right: Right, as?: { readonly token: string; readonly ca: string | undefined }): Promise<boolean | undefined> {
  const answer = await cluster.request("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", {
    body: { apiVersion: "authorization.k8s.io/v1", kind: "SelfSubjectAccessReview", spec: { resourceAttributes: right } },
    ...(as === undefined ? {} : { token: as.token, trust: { ca: as.ca } }),
  });
  if (answer.status === 401) {
    throw new GatehouseError("unauthenticated", `the API server does not accept the credentials of context "${escapeLine(cluster.context)}"`, { hint: "see that this works: kubectl auth whoami" });
  }
  const parsed = reviewSchema.safeParse(answer.body);
  return answer.status < 300 && parsed.success ? parsed.data.status.allowed : undefined;
}

const describe = ({ group, name, namespace, resource, verb }: Right): string =>
  `${verb} ${resource}${group === "" ? "" : `.${group}`}${name === undefined ? "" : ` "${name}"`}${namespace === undefined || resource === "namespaces" ? "" : ` in namespace ${namespace}`}`;

/** Kubernetes lets nobody give what they do not have, unless they may escalate and bind. */
async function mayGrant(cluster: AdminCluster): Promise<readonly string[]> {
  const rbac = "rbac.authorization.k8s.io";
  const having: readonly Right[] = ["users", "groups"].map((resource) => ({ verb: "impersonate", group: "", resource }));
  const allowed = await Promise.all(having.map((right) => review(cluster, right)));
  if (allowed.every((one) => one !== false)) return [];
  const giving: readonly Right[] = ["escalate", "bind"].map((verb) => ({ verb, group: rbac, resource: "clusterroles" }));
  const may = await Promise.all(giving.map((right) => review(cluster, right)));
  if (may.every((one) => one !== false)) return [];
  return [`${having.filter((_, index) => allowed[index] === false).map(describe).join(" and ")} (or escalate and bind clusterroles.${rbac}): nobody may give a right that they do not have`];
}

/**
 * Sees that the administrator has every right that is needed before anything is changed. Throws `access_denied` naming all that are missing. A right
 * that the API server will not speak of is left for it to refuse.
 */
export async function checkRights(cluster: AdminCluster, manifests: readonly Manifest[]): Promise<void> {
  const [namespace] = manifests.filter(({ kind }) => kind === "Namespace");
  const hasNamespace = namespace === undefined || (await cluster.request("GET", `/api/v1/namespaces/${namespace.metadata.name}`)).status !== 404;
  const rights = manifests.flatMap((manifest): readonly Right[] => {
    const { group, resource } = resourceOf(manifest);
    if (manifest.kind === "Namespace") return hasNamespace ? [] : [{ verb: "create", group, resource }, { verb: "patch", group, resource, name: manifest.metadata.name }];
    return ["get", "create", "patch"].map((verb) => ({ verb, group, resource, namespace: manifest.metadata.namespace, ...(verb === "create" ? {} : { name: manifest.metadata.name }) }));
  });
  const [allowed, granting] = await Promise.all([Promise.all(rights.map((right) => review(cluster, right))), mayGrant(cluster)]);
  const missing = [...rights.filter((_, index) => allowed[index] === false).map(describe), ...granting];
  if (missing.length === 0) return;
  throw new GatehouseError("access_denied", `the credentials of context "${escapeLine(cluster.context)}" lack rights in the cluster, and nothing was changed; missing:\n${missing.map((one) => `  ${one}`).join("\n")}`, {
    hint: "use the context of a cluster administrator (--context), or have one apply what --dry-run prints",
  });
}

/** What keeps these credentials from impersonating; undefined where nothing does. */
export async function mayImpersonate(cluster: AdminCluster, token: string, ca: string | undefined): Promise<string | undefined> {
  try {
    const rights: readonly Right[] = ["users", "groups"].map((resource) => ({ verb: "impersonate", group: "", resource }));
    const allowed = await Promise.all(rights.map((right) => review(cluster, right, { token, ca })));
    const missing = rights.filter((_, index) => allowed[index] !== true).map(describe);
    return missing.length === 0 ? undefined : `they may not ${missing.join(", ")}`;
  } catch (error) {
    if (error instanceof GatehouseError && error.code === "unauthenticated") return "the API server does not accept them";
    throw error;
  }
}
