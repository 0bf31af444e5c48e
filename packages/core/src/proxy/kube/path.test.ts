import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isNodeProxy, kubeVerb, parseTarget, queryFlag } from "./path.ts";
import type { KubePath } from "./path.ts";

function pathOf(target: string): KubePath {
  const parsed = parseTarget(target);
  if (!parsed.ok) throw new Error(parsed.problem);
  return parsed.path;
}

describe("parseTarget", () => {
  it.each([
    ["/api/v1/pods", { resource: "pods", namespace: "", name: "" }],
    ["/api/v1/namespaces/web/pods/a/exec?command=sh", { resource: "pods", namespace: "web", name: "a", subresource: "exec" }],
    ["/api/v1/namespaces/web", { resource: "namespaces", namespace: "web", name: "web" }],
    ["/api/v1/namespaces/web/finalize", { resource: "namespaces", name: "web", subresource: "finalize" }],
    ["/apis/apps/v1/namespaces/web/deployments/a/scale", { apiGroup: "apps", resource: "deployments", name: "a", subresource: "scale" }],
    ["/apis/rbac.authorization.k8s.io/v1/clusterroles/system:node", { resource: "clusterroles", name: "system:node" }],
    ["/apis/rbac.authorization.k8s.io/v1/clusterroles/system%3Anode", { resource: "clusterroles", name: "system:node" }],
    ["/api/v1/watch/namespaces/web/pods", { resource: "pods", namespace: "web", prefixVerb: "watch" }],
    ["/api/v1/proxy/nodes/n:10250/exec", { resource: "nodes", name: "n:10250", prefixVerb: "proxy" }],
    ["/api/v1/namespaces/web/services/a:80/proxy/some%20page/", { resource: "services", name: "a:80", subresource: "proxy" }],
  ])("%s", (target, expected) => {
    expect(pathOf(target)).toMatchObject({ isResource: true, ...expected });
  });

  it.each(["/", "/version", "/api", "/apis/apps/v1", "/openapi/v3/apis/apps/v1?hash=AB%2F", "/.well-known/openid-configuration", "/api/"])("%s is no resource", (target) => {
    expect(pathOf(target).isResource).toBe(false);
  });

  it.each([
    "http://other/api", "*", "", "api/v1", "//", "//api/v1/pods", "/api//v1/pods", "/api/v1/pods//", "/api/v1/./pods", "/api/v1/x/../pods", "/api/v1/%2e%2e/pods",
    "/api/v1/namespaces/web/pods/a/ex%65c", "/api/v1/namespaces/web/p%6fds/a/exec", "/%61pi/v1/pods", "/api/v1/namespaces/web%2Fpods/a", "/api/v1/nodes/a%2Fproxy",
    "/api/v1/nodes/a%2fproxy/x", "/api/v1/namespaces/web/pods/a%00", "/api/v1/namespaces/web/pods/a%5cb", "/api\\v1", "/api/v1/pods#x", "/api/v1/pods/%", "/api/v1/pods/%zz",
    "/api/v1/pods/a/exec;x", "/api/v1/pods/%ff", "/api/v1/namespaces/web/pods/a%252f", "/api/v1/p\u00f6ds", "/version%2f", "/api/v1/namespaces/web/services/a/proxy/..%2fx", "/api/v1/namespaces/web/services/a/proxy//x",
  ])("%s is refused", (target) => {
    expect(parseTarget(target).ok).toBe(false);
  });

  it.each(["/api/v1/nodes/a/proxy", "/api/v1/nodes/a/proxy/", "/api/v1/nodes/a:10250/proxy/exec/x", "/api/v1/proxy/nodes/a", "/api/v1/watch/nodes/a/proxy", "/api/v1/nodes/https%3Aa%3A10250/proxy", "/api/v1/namespaces/web/nodes/a/proxy"])(
    "%s reaches a node's own API",
    (target) => {
      expect(isNodeProxy(pathOf(target))).toBe(true);
    },
  );

  const exec = "/api/v1/namespaces/web/pods/a/exec";
  it.each([
    `${exec}?container=decoy;&command=true;&command=id&container=shell`, `${exec}?container=decoy%zz&command=id`, `${exec}?command=id%`, `${exec}?command=%4`, `${exec}?com%mand=id`,
    `${exec}??container=decoy&container=shell`, `${exec}?command=%ff`, `${exec}?container=%c3&%a9=x`, `${exec}?command=%ed%a0%80`, "/api/v1/namespaces/web/pods/a/attach?container=a%C0%80",
    "/api/v1/namespaces/web/pods/a/portforward?ports=8080;ports=1", "/api/v1/pods?watch=1;", "/api/v1/pods?labelSelector=%", "/version?;", "/api/v1/namespaces/web/services/a/proxy/x?a=1;b=2",
  ])("%s is refused, as Go reads its query otherwise", (target) => {
    expect(parseTarget(target)).toMatchObject({ ok: false, problem: expect.stringMatching(/^the query /) as string });
  });

  it("as many parameters are taken as Go reads: of one more it would read none", () => {
    const attach = (count: number): string => `/api/v1/namespaces/web/pods/a/attach?container=decoy${"&".repeat(count - 1)}`;
    expect(parseTarget(attach(10_000)).ok).toBe(true);
    expect(parseTarget(attach(10_001))).toEqual({ ok: false, problem: "the query has more than 10000 parameters" });
    expect(parseTarget(`${exec}?command=${"x".repeat(50_000)}`).ok).toBe(true);
  });

  it.each([`${exec}?command=sh&command=-c&command=echo+a%3Bb+100%25+%C3%A9`, `${exec}?&&command=a=b&=x&stdin`, "/api/v1/namespaces/web/services/a/proxy/x?q=%ff"])("%s is taken", (target) => {
    expect(parseTarget(target).ok).toBe(true);
  });

  it("a query that is taken reads the same in Go's way of reading it", () => {
    /** `url.ParseQuery` of Go 1.17 and later, over bytes. */
    const go = (query: string): [string, string][] => {
      const pairs: [string, string][] = [];
      const unescape = (text: string): string | undefined =>
        malformed.test(text) ? undefined : Buffer.from(text.replaceAll("+", " ").replace(/%(..)/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16))), "latin1").toString("hex");
      for (const part of query.split("&")) {
        if (part === "" || part.includes(";")) continue;
        const at = part.indexOf("=");
        const name = unescape(at < 0 ? part : part.slice(0, at));
        const value = unescape(at < 0 ? "" : part.slice(at + 1));
        if (name !== undefined && value !== undefined) pairs.push([name, value]);
      }
      return pairs;
    };
    const malformed = /%(?![0-9A-Fa-f]{2})/;
    const hex = (text: string): string => Buffer.from(text).toString("hex");
    const piece = fc.constantFrom("command", "container", "Container", "=", "&", "+", "%20", "%26", "%3d", "%2B", "%", "%z", ";", "%3b", "?", "%c3%a9", "%ff", "%ef%bb%bf", "%00", "a", "=b&", "stdin");
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
        const parsed = parseTarget(`${exec}?${pieces.join("")}`);
        if (parsed.ok) expect([...new URLSearchParams(parsed.query)].map(([name, value]) => [hex(name), hex(value)])).toEqual(go(parsed.query));
      }),
      { numRuns: 3000 },
    );
  });

  it("what passes reads the same after decoding, as Go reads it", () => {
    const piece = fc.constantFrom("api", "apis", "v1", "namespaces", "nodes", "pods", "proxy", "exec", "watch", "a", "%2f", "%2F", "%65", "..", "%2e", ".", "", "%00", ";", "%3A", "\\", "%5c", "x y", "%20", "%25");
    fc.assert(
      fc.property(fc.array(fc.array(piece, { minLength: 1, maxLength: 2 }).map((parts) => parts.join("")), { maxLength: 8 }), (segments) => {
        const parsed = parseTarget(`/${segments.join("/")}`);
        if (!parsed.ok) return;
        const decoded = decodeURIComponent(parsed.pathname);
        expect(decoded.split("/")).toHaveLength(parsed.pathname.split("/").length);
        expect(decoded).not.toMatch(/\/\/|\/\.\.?(\/|$)|[\0\\]/);
        // Encoded once more by its own reading, nothing that decides changes.
        const again = parseTarget(decoded.split("/").map((one) => encodeURIComponent(one).replaceAll("%3A", ":")).join("/"));
        if (again.ok) expect(again.path).toEqual(parsed.path);
      }),
      { numRuns: 2000 },
    );
  });

  it("never throws", () => {
    fc.assert(fc.property(fc.string({ unit: "binary", maxLength: 200 }), (text) => typeof parseTarget(text).ok === "boolean" && typeof parseTarget(`/api/v1/${text}`).ok === "boolean"), { numRuns: 2000 });
  });
});

describe("kubeVerb", () => {
  it.each([
    ["GET", "/api/v1/pods", "list"],
    ["GET", "/api/v1/pods?watch=true", "watch"],
    ["GET", "/api/v1/pods?w%61tch=1", "watch"],
    ["GET", "/api/v1/pods?watch=0", "list"],
    ["GET", "/api/v1/namespaces/web/pods/a", "get"],
    ["DELETE", "/api/v1/namespaces/web/pods", "deletecollection"],
    ["POST", "/api/v1/namespaces/web/pods/a/exec", "create"],
    ["GET", "/version", "get"],
  ])("%s %s is %s", (method, target, verb) => {
    const parsed = parseTarget(target);
    if (!parsed.ok) throw new Error(parsed.problem);
    expect(kubeVerb(method, parsed.path, parsed.query)).toBe(verb);
  });

  it("a flag without a value is set, as the API server reads it", () => {
    expect(queryFlag("watch", "watch")).toBe(true);
    expect(queryFlag("watch=FALSE", "watch")).toBe(false);
    expect(queryFlag("watch=fal%c5%bfe", "watch")).toBe(false);
    expect(queryFlag("Watch=1", "watch")).toBe(false);
    expect(queryFlag("watch=1&watch=0", "watch")).toBe(true);
  });
});
