/** What the stand-in's one namespace holds, and how Kubernetes writes it. */

const started = new Date().toISOString().replace(/\.\d+Z$/, "Z");

/** A Kubernetes object as JSON. */
export type KubeObject = Readonly<Record<string, unknown>>;

function pod(name: string, image: string, ip: string): KubeObject {
  return {
    kind: "Pod",
    apiVersion: "v1",
    metadata: { name, namespace: "default", uid: `00000000-0000-4000-8000-00000000000${ip.slice(-1)}`, resourceVersion: "10", creationTimestamp: started, labels: { app: name } },
    spec: { containers: [{ name, image }], nodeName: "stand-in", restartPolicy: "Always" },
    status: {
      phase: "Running",
      podIP: ip,
      startTime: started,
      conditions: [{ type: "Ready", status: "True" }],
      containerStatuses: [{ name, image, ready: true, started: true, restartCount: 0, state: { running: { startedAt: started } } }],
    },
  };
}

export const pods: ReadonlyMap<string, KubeObject> = new Map([
  ["shell", pod("shell", "stand-in/shell", "10.88.0.2")],
  ["web", pod("web", "stand-in/web", "10.88.0.3")],
]);

export function podList(items: readonly KubeObject[]): KubeObject {
  return { kind: "PodList", apiVersion: "v1", metadata: { resourceVersion: "10" }, items };
}

function age(): string {
  return `${String(Math.max(0, Math.floor((Date.now() - Date.parse(started)) / 1000)))}s`;
}

/** The form that `kubectl get` asks for: columns computed by the server. */
export function podTable(items: readonly KubeObject[]): KubeObject {
  const column = (name: string, type = "string", format = ""): KubeObject => ({ name, type, format, description: "", priority: 0 });
  return {
    kind: "Table",
    apiVersion: "meta.k8s.io/v1",
    metadata: { resourceVersion: "10" },
    columnDefinitions: [column("Name", "string", "name"), column("Ready"), column("Status"), column("Restarts", "integer"), column("Age")],
    rows: items.map((item) => {
      const { metadata } = item as { metadata: { name: string } };
      return {
        cells: [metadata.name, "1/1", "Running", 0, age()],
        object: { kind: "PartialObjectMetadata", apiVersion: "meta.k8s.io/v1", metadata },
      };
    }),
  };
}

/** Discovery documents by path. */
export const discovery: Readonly<Record<string, KubeObject>> = {
  "/version": { major: "1", minor: "33", gitVersion: "v1.33.0-standin", gitCommit: "", gitTreeState: "", buildDate: started, goVersion: "", compiler: "", platform: "linux/amd64" },
  "/api": { kind: "APIVersions", versions: ["v1"], serverAddressByClientCIDRs: [] },
  "/apis": {
    kind: "APIGroupList",
    apiVersion: "v1",
    groups: [
      {
        name: "authorization.k8s.io",
        versions: [{ groupVersion: "authorization.k8s.io/v1", version: "v1" }],
        preferredVersion: { groupVersion: "authorization.k8s.io/v1", version: "v1" },
      },
    ],
  },
  "/api/v1": {
    kind: "APIResourceList",
    groupVersion: "v1",
    resources: [
      { name: "pods", singularName: "pod", namespaced: true, kind: "Pod", verbs: ["get", "list", "watch"], shortNames: ["po"], categories: ["all"] },
      { name: "pods/exec", singularName: "", namespaced: true, kind: "PodExecOptions", verbs: ["create", "get"] },
      { name: "pods/log", singularName: "", namespaced: true, kind: "Pod", verbs: ["get"] },
    ],
  },
  "/apis/authorization.k8s.io/v1": {
    kind: "APIResourceList",
    apiVersion: "v1",
    groupVersion: "authorization.k8s.io/v1",
    resources: [{ name: "selfsubjectaccessreviews", singularName: "selfsubjectaccessreview", namespaced: false, kind: "SelfSubjectAccessReview", verbs: ["create"] }],
  },
};
