import { stringify } from "yaml";

/** How the objects in the cluster are called. */
export interface SetupNames {
  readonly namespace: string;
  /** Of the service account, the ClusterRole and its binding. */
  readonly name: string;
}

/** An object as it is sent to the API server. */
export interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string; readonly labels: Readonly<Record<string, string>>; readonly annotations?: Readonly<Record<string, string>> };
  readonly [field: string]: unknown;
}

/** Says that an object is this command's own. */
export const managedBy = { label: "app.kubernetes.io/managed-by", value: "gatehouse" } as const;

/** Name of the secret that holds the token. */
export const tokenName = ({ name }: Pick<SetupNames, "name">): string => `${name}-token`;

/** What is wrong with a name for these objects, if anything: DNS labels, with room for the secret's. */
export function setupNameProblem(name: string): string | undefined {
  return /^[a-z0-9]([-a-z0-9]{0,55}[a-z0-9])?$/.test(name) ? undefined : "is no name for an object in Kubernetes: 1 to 57 lower-case letters, digits and dashes, a letter or digit first and last";
}

/**
 * The namespace, and a service account in it that may impersonate users and groups and ask what it may do: all that the gateway needs. Kubernetes has
 * made no secrets for service accounts by itself since 1.24, so one asks for a token that stays.
 */
export function manifestsOf({ namespace, name }: SetupNames): readonly Manifest[] {
  const labels = { [managedBy.label]: managedBy.value };
  const rbac = "rbac.authorization.k8s.io";
  return [
    { apiVersion: "v1", kind: "Namespace", metadata: { name: namespace, labels } },
    { apiVersion: "v1", kind: "ServiceAccount", metadata: { name, namespace, labels }, automountServiceAccountToken: false },
    {
      apiVersion: `${rbac}/v1`,
      kind: "ClusterRole",
      metadata: { name, labels },
      rules: [
        { apiGroups: [""], resources: ["users", "groups"], verbs: ["impersonate"] },
        { apiGroups: ["authorization.k8s.io"], resources: ["selfsubjectaccessreviews"], verbs: ["create"] },
      ],
    },
    {
      apiVersion: `${rbac}/v1`,
      kind: "ClusterRoleBinding",
      metadata: { name, labels },
      roleRef: { apiGroup: rbac, kind: "ClusterRole", name },
      subjects: [{ kind: "ServiceAccount", name, namespace }],
    },
    {
      apiVersion: "v1",
      kind: "Secret",
      metadata: { name: tokenName({ name }), namespace, labels, annotations: { "kubernetes.io/service-account.name": name } },
      type: "kubernetes.io/service-account-token",
    },
  ];
}

/** The manifests as `kubectl apply -f -` takes them. */
export function manifestText(names: SetupNames): string {
  return manifestsOf(names).map((manifest) => stringify(manifest, { lineWidth: 0 })).join("---\n");
}

const plurals: Readonly<Record<string, string>> = {
  Namespace: "namespaces",
  ServiceAccount: "serviceaccounts",
  ClusterRole: "clusterroles",
  ClusterRoleBinding: "clusterrolebindings",
  Secret: "secrets",
};

/** API group and resource of a manifest. */
export function resourceOf({ apiVersion, kind }: Manifest): { readonly group: string; readonly resource: string } {
  return { group: apiVersion.includes("/") ? (apiVersion.split("/")[0] ?? "") : "", resource: plurals[kind] ?? "" };
}

/** Path of a manifest's object. */
export function pathOf(manifest: Manifest): string {
  const { apiVersion, metadata } = manifest;
  const root = apiVersion.includes("/") ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
  return `${root}${metadata.namespace === undefined ? "" : `/namespaces/${metadata.namespace}`}/${resourceOf(manifest).resource}/${metadata.name}`;
}

/** A manifest's object for people: `service account gatehouse/gateway`. */
export function describeManifest({ kind, metadata }: Manifest): string {
  const words = kind === "ServiceAccount" ? "service account" : kind === "Namespace" || kind === "Secret" ? kind.toLowerCase() : kind;
  return `${words} ${metadata.namespace === undefined ? "" : `${metadata.namespace}/`}${metadata.name}`;
}
