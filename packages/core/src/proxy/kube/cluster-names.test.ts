import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { fitKubeName } from "../../config/index.ts";
import { nameContexts, type ContextNaming } from "./cluster-names.ts";

function naming(contexts: readonly string[], more: Partial<ContextNaming> & { readonly broken?: readonly string[] } = {}): ReturnType<typeof nameContexts> {
  return nameContexts({
    file: "/k",
    contexts: contexts.map((name) => ({ name, usable: more.broken?.includes(name) !== true })),
    current: contexts[0],
    claimed: new Set(),
    taken: new Set(),
    known: new Map(),
    ownName: "example",
    ...more,
  });
}
const given = (...all: Parameters<typeof naming>): Record<string, string> => Object.fromEntries(naming(...all).names);

describe("names of contexts", () => {
  it("a context that is the only one goes by the gateway's own cluster", () => {
    expect(given(["a"])).toEqual({ a: "example" });
    expect(given(["a"], { current: undefined })).toEqual({ a: "example" });
    expect(given(["a"], { broken: ["a"] })).toEqual({ a: "example" });
    expect(given(["a", "left-over"], { broken: ["left-over"] })).toEqual({ a: "example", "left-over": "left-over" });
  });

  it("several go by their own names", () => {
    expect(given(["a", "b"])).toEqual({ a: "a", b: "b" });
    expect(given(["a", "b"], { broken: ["a", "b"] })).toEqual({ a: "a", b: "b" });
    // What the file chooses is not what could be used: nobody may be sent somewhere else by a broken entry.
    expect(given(["a", "b"], { broken: ["a"] })).toEqual({ a: "a", b: "b" });
    expect(given(["a"], { ownName: undefined })).toEqual({ a: "a" });
  });

  it("keep, while the gateway runs, the name that they had", () => {
    expect(given(["a", "b"], { known: new Map([["a", "example"]]) })).toEqual({ a: "example", b: "b" });
    expect(given(["b", "example"], { known: new Map([["b", "example"]]) })).toEqual({ b: "example", example: fitKubeName("example", true) });
  });

  it("leaves out what kubernetes.clusters names", () => {
    expect(given(["a", "b", "c"], { claimed: new Set(["b"]), taken: new Set(["prod"]) })).toEqual({ a: "a", c: "c" });
  });

  it("are told where they clash, and both get a mark unless one is exact", () => {
    const both = naming(["x/y", "x:y", "z"]);
    expect([...both.names.values()]).toEqual([expect.stringMatching(/^x-y-[0-9a-f]{6}$/), expect.stringMatching(/^x-y-[0-9a-f]{6}$/), "z"]);
    expect(both.notes).toHaveLength(2);
    expect(both.notes[0]).toMatch(/context "x\/y" of \/k is the cluster "x-y-[0-9a-f]{6}": another has the name "x-y"/);
    expect(given(["x/y", "x-y"])).toEqual({ "x-y": "x-y", "x/y": fitKubeName("x/y", true) });
    expect(given(["prod", "b"], { taken: new Set(["prod"]) })).toEqual({ prod: fitKubeName("prod", true), b: "b" });
    expect(given(["a"], { taken: new Set(["example"]) })).toEqual({ a: fitKubeName("a", true) });
  });

  it.each([
    ["prod", "prod"],
    ["kubernetes-admin@kubernetes", "kubernetes-admin-kubernetes"],
    ["gke_my-project_us-central1-a_prod-cluster", /^central1-a_prod-cluster-[0-9a-f]{6}$/],
    ["arn:aws:eks:us-east-1:123456789012:cluster/prod", /^123456789012-cluster-prod-[0-9a-f]{6}$|^[A-Za-z0-9._-]*cluster-prod-[0-9a-f]{6}$/],
    ["ä/ö", /^[0-9a-f]{6}$/],
    ["", /^[0-9a-f]{6}$/],
  ])("%j fits as %s", (context, name) => {
    if (typeof name === "string") expect(fitKubeName(context)).toBe(name);
    else expect(fitKubeName(context)).toMatch(name);
  });

  it("always fit, differ, and are the same again", () => {
    const name = fc.oneof(fc.string({ maxLength: 60 }), fc.string({ unit: "binary", maxLength: 40 }), fc.constantFrom("a/b", "a:b", "a-b", "a b"));
    fc.assert(
      fc.property(fc.uniqueArray(name, { minLength: 1, maxLength: 12 }), (contexts) => {
        const names = Object.values(given(contexts));
        for (const one of names) expect(one).toMatch(/^[A-Za-z0-9._-]{1,31}$/);
        expect(new Set(names).size).toBe(names.length);
        expect(given(contexts)).toEqual(given(contexts));
      }),
    );
  });
});
