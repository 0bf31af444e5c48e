import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { manualClock } from "@gatehouse/core/base";
import { describeRequest, isLong } from "./describe.ts";
import { findCluster, prefixOf } from "./paths.ts";
import { RequestLog } from "./requests.ts";

describe("describeRequest", () => {
  it.each([
    ["GET", "/api/v1/namespaces/default/pods", "list", "default/pods"],
    ["GET", "/api/v1/namespaces/default/pods/web-1?x=1", "get", "default/pods/web-1"],
    ["GET", "/apis/apps/v1/deployments?watch=true&resourceVersion=5", "watch", "deployments"],
    ["GET", "/api/v1/namespaces/default/pods/web-1/log?follow=true", "logs", "default/pods/web-1"],
    ["POST", "/api/v1/namespaces/default/pods/web-1/exec?command=sh", "exec", "default/pods/web-1"],
    ["POST", "/api/v1/namespaces/default/pods", "create", "default/pods"],
    ["PATCH", "/api/v1/namespaces/default", "patch", "namespaces/default"],
    ["GET", "/api/v1/namespaces", "list", "namespaces"],
    ["DELETE", "/api/v1/namespaces/default/pods", "deletecollection", "default/pods"],
    ["GET", "/apis?timeout=32s", "get", "/apis"],
    ["GET", "/version", "get", "/version"],
  ])("%s %s is %s %s", (method, target, verb, what) => {
    expect(describeRequest(method, target)).toEqual({ verb, what });
  });

  it("never throws", () => {
    fc.assert(fc.property(fc.string(), fc.webPath(), fc.string(), (method, path, query) => {
      describeRequest(method, `${path}?${query}`);
      isLong(`${path}?${query}`);
    }));
  });
});

describe("isLong", () => {
  it.each([["/api/v1/pods?watch=1", true], ["/api/v1/pods?watch=false", false], ["/api/v1/watch/pods", true], ["/api/v1/namespaces/a/services/b/proxy/metrics", true], ["/api/v1/pods/x/log?follow=true", true], ["/api/v1/pods", false]])("%s: %s", (target, long) => {
    expect(isLong(target)).toBe(long);
  });
});

describe("findCluster", () => {
  it("finds every cluster by its own prefix, and gives back the rest", () => {
    fc.assert(fc.property(fc.uniqueArray(fc.string({ minLength: 1 }), { minLength: 1, maxLength: 5 }), fc.webPath().map((path) => `/${path.replace(/^\/+/, "")}`), (names, path) => {
      const clusters = names.map((name) => ({ name, serverName: "", context: name }));
      for (const cluster of clusters) expect(findCluster(prefixOf(cluster, clusters) + path, clusters)).toMatchObject({ cluster, target: path });
    }));
  });
});

describe("RequestLog", () => {
  it("lists those under way first, then the latest that ended, and forgets", () => {
    const clock = manualClock(1000);
    const log = new RequestLog(clock);
    const entries = Array.from({ length: 150 }, (_, index) => log.begin("ex", "GET", `/api/v1/nodes/n${index}`));
    for (const entry of entries.slice(1)) {
      entry.answered(200);
      entry.passed(10);
      entry.end();
      entry.end();
    }
    expect([log.count, log.underWay]).toEqual([150, 1]);
    expect(log.list(3).map(({ what, ended, bytes }) => [what, ended, bytes])).toEqual([["nodes/n0", undefined, 0], ["nodes/n149", 1000, 10], ["nodes/n148", 1000, 10]]);
    expect(log.list(1).map(({ what }) => what)).toEqual(["nodes/n0"]);
    expect(log.list(1000).length).toBe(101);
  });
});
