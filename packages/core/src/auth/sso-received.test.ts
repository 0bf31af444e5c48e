import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { boundReceived } from "./sso-received.ts";

describe("what a provider said", () => {
  it("is told whole where it fits", () => {
    const claims = { sub: "1", groups: ["a", "b"], nested: { roles: [{ id: 1 }] } };
    expect(boundReceived(claims)).toEqual(claims);
  });

  it("is cut where it is long, and says by how much", () => {
    const groups = Array.from({ length: 5000 }, (_, at) => `group-${String(at)}`);
    const bounded = boundReceived({ sub: "1", groups, note: "x".repeat(100_000) }) as { sub: string; groups: string[]; note: string };
    expect(bounded.sub).toBe("1");
    expect(bounded.groups.at(-1)).toBe(`… and ${String(5001 - bounded.groups.length)} more`);
    expect(bounded.groups.length).toBeGreaterThan(500);
    expect(bounded.note).toMatch(/^x{1024}… and 98976 characters more$/);
  });

  it("fits always", () => {
    const long = fc.oneof(fc.string({ maxLength: 20 }), fc.integer({ min: 0, max: 60_000 }).map((length) => "y".repeat(length)), fc.array(fc.string(), { maxLength: 4000 }));
    const nested = fc.oneof(long, fc.dictionary(fc.string({ maxLength: 20 }), long, { maxKeys: 40 }));
    fc.assert(
      fc.property(fc.dictionary(fc.string({ maxLength: 30 }), nested, { maxKeys: 60 }), (received) => {
        expect(JSON.stringify(boundReceived(received)).length).toBeLessThan(64 * 1024);
      }),
      { numRuns: 30 },
    );
  });
});
