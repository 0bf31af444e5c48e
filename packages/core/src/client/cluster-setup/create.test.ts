import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { parse, parseAllDocuments } from "yaml";
import { createGatewayAccess, manifestText, manifestsOf, openAdminCluster, setupNameProblem, type AdminCluster } from "./index.ts";

const names = { namespace: "gatehouse", name: "gw" };
const own = { "app.kubernetes.io/managed-by": "gatehouse" };

interface Review {
  readonly spec: { readonly resourceAttributes: { readonly verb: string; readonly resource: string } };
}
interface Stored {
  readonly metadata: { readonly labels?: Readonly<Record<string, string>>; readonly resourceVersion: string };
  readonly data?: Readonly<Record<string, string>>;
}

/** An API server of a test's own: objects by path, rights that are missing, and what it says of a request before it is looked at. */
function fakeCluster(options: { readonly missing?: readonly string[]; readonly answer?: (method: string, path: string) => { status: number; body: unknown } | undefined; readonly controller?: boolean; readonly ca?: string | null } = {}): AdminCluster & {
  readonly objects: Map<string, Stored>;
  readonly sent: string[];
} {
  const objects = new Map<string, Stored>();
  const sent: string[] = [];
  const missing = new Set(options.missing ?? []);
  let version = 0;
  return {
    objects,
    sent,
    context: "prod",
    url: "https://api.example.com:6443",
    trust: { ca: options.ca === null ? undefined : (options.ca ?? "CA"), serverName: "api", insecure: false },
    async request(method, path, { body, token } = {}) {
      const [bare = ""] = path.split("?");
      const given = options.answer?.(method, bare);
      if (given) return given;
      if (bare.endsWith("/selfsubjectaccessreviews")) {
        const { resource, verb } = (body as Review).spec.resourceAttributes;
        return { status: 201, body: { status: { allowed: token !== undefined || !missing.has(`${verb} ${resource}`) } } };
      }
      if (method === "POST" && bare.endsWith("/token")) return { status: 201, body: { status: { token: "requested", expirationTimestamp: "2036-01-01T00:00:00Z" } } };
      if (method === "GET") {
        const found = objects.get(bare);
        if (found && bare.includes("/secrets/") && options.controller === true) {
          return { status: 200, body: { ...found, data: { token: Buffer.from("from-secret").toString("base64"), "ca.crt": Buffer.from("SECRET CA").toString("base64") } } };
        }
        return found ? { status: 200, body: found } : { status: 404, body: { message: "not found" } };
      }
      sent.push(`${method} ${bare}`);
      const before = objects.get(bare);
      const next = { ...(body as Stored), metadata: { ...(body as Stored).metadata, resourceVersion: before?.metadata.resourceVersion ?? String((version += 1)) } };
      objects.set(bare, next);
      return { status: before ? 200 : 201, body: next };
    },
  };
}

async function create(cluster: AdminCluster): Promise<{ readonly done: string[]; readonly access: Awaited<ReturnType<typeof createGatewayAccess>> }> {
  const done: string[] = [];
  const access = await createGatewayAccess(cluster, { ...names, timeout: 1 }, { done: (what, how) => done.push(`${what} ${how}`), waiting: () => () => undefined });
  return { done, access };
}

describe("the manifests", () => {
  it("are what the gateway needs, and no more", () => {
    const documents = parseAllDocuments(manifestText(names)).map((document) => document.toJS() as Record<string, unknown>);
    expect(documents).toEqual(JSON.parse(JSON.stringify(manifestsOf(names))));
    expect(documents.find(({ kind }) => kind === "ClusterRole")!["rules"]).toEqual([
      { apiGroups: [""], resources: ["users", "groups"], verbs: ["impersonate"] },
      { apiGroups: ["authorization.k8s.io"], resources: ["selfsubjectaccessreviews"], verbs: ["create"] },
    ]);
  });

  it.each([["gatehouse", true], ["a", true], ["a".repeat(57), true], ["a".repeat(58), false], ["A", false], ["-a", false], ["a-", false], ["a.b", false], ["", false], ["a/b", false]])("name %j fits: %s", (name, fits) => {
    expect(setupNameProblem(name) === undefined).toBe(fits);
  });
});

describe("preparing a cluster", () => {
  it("makes everything, takes the token of the secret, and is the same again", async () => {
    const cluster = fakeCluster({ controller: true });
    const { access, done } = await create(cluster);
    expect(done).toEqual(["namespace gatehouse created", "service account gatehouse/gw created", "ClusterRole gw created", "ClusterRoleBinding gw created", "secret gatehouse/gw-token created"]);
    expect(access.tokenEnds).toBeUndefined();
    expect(parse(access.kubeconfig)).toEqual({
      apiVersion: "v1",
      kind: "Config",
      "current-context": "prod",
      clusters: [{ name: "prod", cluster: { server: "https://api.example.com:6443", "tls-server-name": "api", "certificate-authority-data": Buffer.from("CA").toString("base64") } }],
      contexts: [{ name: "prod", context: { cluster: "prod", user: "gw" } }],
      users: [{ name: "gw", user: { token: "from-secret" } }],
    });
    expect((await create(cluster)).done.every((line) => line.endsWith(" unchanged"))).toBe(true);
  });

  it("asks for a token where none comes, and says when it ends", async () => {
    const { access } = await create(fakeCluster());
    expect(access.kubeconfig).toContain("token: requested");
    expect(access.tokenEnds).toBe(Date.parse("2036-01-01T00:00:00Z"));
  });

  it("takes the authority of the secret where the administrator's kubeconfig has none", async () => {
    expect((await create(fakeCluster({ controller: true, ca: null }))).access.kubeconfig).toContain(Buffer.from("SECRET CA").toString("base64"));
    await expect(create(fakeCluster({ ca: null }))).rejects.toMatchObject({ code: "bad_parameter", message: expect.stringContaining("certificate authority") as string });
  });

  it("leaves a namespace that exists as it is", async () => {
    const cluster = fakeCluster({ missing: ["create namespaces"] });
    cluster.objects.set("/api/v1/namespaces/gatehouse", { metadata: { labels: {}, resourceVersion: "1" } });
    expect((await create(cluster)).done[0]).toBe("namespace gatehouse unchanged");
    expect(cluster.sent.some((one) => one.endsWith("/namespaces/gatehouse"))).toBe(false);
  });

  it.each([
    [["create namespaces"], /missing:\n {2}create namespaces$/],
    [["patch clusterroles", "get secrets"], /missing:\n {2}patch clusterroles\.rbac\.authorization\.k8s\.io "gw"\n {2}get secrets "gw-token" in namespace gatehouse$/],
    [["impersonate groups", "escalate clusterroles"], /missing:\n {2}impersonate groups \(or escalate and bind/],
  ])("names every right that is missing before it changes anything: %j", async (missing, message) => {
    const cluster = fakeCluster({ missing });
    await expect(create(cluster)).rejects.toMatchObject({ code: "access_denied", message: expect.stringMatching(message) as string });
    expect(cluster.sent).toEqual([]);
  });

  it("needs no right of its own that it may give all the same", async () => {
    await create(fakeCluster({ missing: ["impersonate users", "impersonate groups"] }));
  });

  it.each([
    ["GET", "/api/v1/namespaces/gatehouse/serviceaccounts/gw", 403, "access_denied", /service account gatehouse\/gw: the right to get serviceaccounts is missing: told/],
    ["PATCH", "/apis/rbac.authorization.k8s.io/v1/clusterroles/gw", 403, "access_denied", /ClusterRole gw: the right to create clusterroles\.rbac\.authorization\.k8s\.io is missing: told/],
    ["PATCH", "/apis/rbac.authorization.k8s.io/v1/clusterroles/gw", 409, "compare_failed", /ClusterRole gw was changed by somebody else: told/],
    ["PATCH", "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings/gw", 422, "already_exists", /ClusterRoleBinding gw is there, and other than it has to be: told/],
    ["PATCH", "/api/v1/namespaces/gatehouse/secrets/gw-token", 500, "unavailable", /secret gatehouse\/gw-token: the API server would not create it: told/],
    ["POST", "/api/v1/namespaces/gatehouse/serviceaccounts/gw/token", 403, "access_denied", /the right to create serviceaccounts\/token is missing: told/],
    ["POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", 401, "unauthenticated", /does not accept the credentials of context "prod"/],
  ])("%s of %s answered with %d names the object", async (method, path, status, code, message) => {
    const cluster = fakeCluster({ answer: (asked, of) => (asked === method && of === path ? { status, body: { message: "told" } } : undefined) });
    await expect(create(cluster)).rejects.toMatchObject({ code, message: expect.stringMatching(message) as string });
  });

  it("says of a namespace on its way out that it is that", async () => {
    const cluster = fakeCluster({ answer: (method) => (method === "PATCH" ? { status: 403, body: { message: "unable to create new content in namespace gatehouse because it is being terminated" } } : undefined) });
    await expect(create(cluster)).rejects.toMatchObject({ code: "unavailable", message: expect.stringContaining("being terminated") as string });
  });

  it("touches nothing of somebody else's", async () => {
    const cluster = fakeCluster();
    cluster.objects.set("/api/v1/namespaces/gatehouse/serviceaccounts/gw", { metadata: { labels: { ...own, "app.kubernetes.io/managed-by": "helm" }, resourceVersion: "1" } });
    await expect(create(cluster)).rejects.toMatchObject({ code: "already_exists", message: expect.stringContaining("not made by this command") as string });
    expect(cluster.sent).toEqual(["PATCH /api/v1/namespaces/gatehouse"]);
  });
});

describe("the administrator's kubeconfig", () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "gatehouse-setup-"));
  });
  afterEach(() => rm(folder, { recursive: true }));
  const config = (name: string, server: string, top = ""): string => `${top}\nclusters: [{name: ${name}, cluster: {server: "${server}"}}]\nusers: [{name: ${name}, user: {token: t}}]\ncontexts: [{name: ${name}, context: {cluster: ${name}, user: ${name}}}]\n`;
  const open = (context?: string, kubeconfig?: string, files = ["a", "b"]): Promise<AdminCluster> =>
    openAdminCluster({ KUBECONFIG: files.map((file) => join(folder, file)).join(":"), HOME: folder }, { kubeconfig: kubeconfig === undefined ? undefined : join(folder, kubeconfig), context });

  it("is what kubectl reads: several files, the first that says something counts", async () => {
    await writeFile(join(folder, "a"), config("one", "https://one", "current-context: two"));
    await writeFile(join(folder, "b"), config("two", "https://two:6443/k8s/", "current-context: one"));
    expect(await open()).toMatchObject({ context: "two", url: "https://two:6443/k8s" });
    expect((await open("one")).url).toBe("https://one");
    expect((await open("two", "b", [])).url).toBe("https://two:6443/k8s");
  });

  it.each([
    ["current-context: c", "https://x", "nope", "not_found", /no context "nope"/],
    ["current-context: c", "https://x", "d", "not_found", /did you mean "c"/],
    ["", "https://x", undefined, "bad_parameter", /selects no context/],
    ["current-context: c", "http://x", undefined, "bad_parameter", /not https/],
  ])("that is wrong (%j, %s, %s) says so", async (top, server, context, code, message) => {
    await writeFile(join(folder, "a"), config("c", server, top));
    await expect(open(context)).rejects.toMatchObject({ code, message: expect.stringMatching(message) as string });
  });

  it("that is not there says which", async () => {
    await expect(open()).rejects.toMatchObject({ code: "not_found", message: expect.stringContaining(join(folder, "b")) as string });
    await expect(open(undefined, "c")).rejects.toMatchObject({ code: "not_found" });
    await writeFile(join(folder, "a"), "{{{");
    await expect(open()).rejects.toMatchObject({ code: "bad_parameter" });
  });

  it("whose server cannot be reached, or whose plugin fails, says so", async () => {
    await writeFile(join(folder, "a"), config("c", "https://127.0.0.1:1", "current-context: c"));
    await expect((await open()).request("GET", "/version")).rejects.toMatchObject({ code: "unavailable", message: expect.stringMatching(/127\.0\.0\.1:1.*ECONNREFUSED/) as string });
    await writeFile(join(folder, "a"), config("c", "https://127.0.0.1:1", "current-context: c").replace("token: t", "exec: {apiVersion: client.authentication.k8s.io/v1, command: /nonexistent}"));
    await expect((await open()).request("GET", "/version")).rejects.toMatchObject({ code: "unauthenticated", message: expect.stringContaining("/nonexistent") as string });
  });
});
