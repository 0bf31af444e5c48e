import fc from "fast-check";
import { expect, it } from "vitest";
import { GatehouseError } from "../base/index.ts";
import type { Expectation, Operation } from "./index.ts";
import { createPlace } from "./testing.ts";

interface Known {
  readonly value: string;
  readonly secret: string | undefined;
  readonly revision: number;
  readonly expires: number | undefined;
}

/** What a store is, in memory: the store must never be told apart from it. */
class Model {
  items = new Map<string, Known>();
  revision = 0;

  live(name: string, now: number): Known | undefined {
    const item = this.items.get(name);
    return item && (item.expires === undefined || item.expires > now) ? item : undefined;
  }

  /** The revisions of what was put, or the code of the refusal. `observed` gives the real store's numbers, which only have to grow. */
  apply(operations: readonly Operation[], now: number, observed: readonly number[]): string | undefined {
    const before = new Map(this.items);
    let puts = 0;
    for (const operation of operations) {
      const item = this.live(operation.name, now);
      const { expect: wanted } = operation;
      const code =
        wanted === "absent" && item ? "already_exists" : wanted === "present" && !item ? "not_found" : typeof wanted === "number" && item?.revision !== wanted ? "compare_failed" : undefined;
      if (code !== undefined) {
        this.items = before;
        return code;
      }
      if (operation.op === "put") {
        const { value, secret, expires } = operation;
        this.items.set(operation.name, { value, secret, expires, revision: observed[puts++] ?? -1 });
      }
      if (operation.op === "delete") this.items.delete(operation.name);
    }
    return undefined;
  }
}

const name = fc.constantFrom("a", "b", "c");
/** A revision is told as "the one that the item had this many transactions ago", or as a wild guess. */
const wish = fc.constantFrom("absent", "present", "current", "stale", undefined);
const step = fc.oneof(
  fc.record({ op: fc.constant("put" as const), name, wish, value: fc.string({ maxLength: 5 }), secret: fc.option(fc.string({ maxLength: 5 }), { nil: undefined }), life: fc.option(fc.integer({ min: 0, max: 50 }), { nil: undefined }) }),
  fc.record({ op: fc.constant("delete" as const), name, wish: fc.constantFrom("present" as const, "current" as const, "stale" as const, undefined) }),
  fc.record({ op: fc.constant("check" as const), name, wish: fc.constantFrom("absent" as const, "present" as const, "current" as const, "stale" as const) }),
);
const turn = fc.record({ steps: fc.array(step, { minLength: 1, maxLength: 4 }), wait: fc.integer({ min: 0, max: 30 }) });

it("does what the model does", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(turn, { minLength: 1, maxLength: 12 }), async (turns) => {
      const place = await createPlace();
      try {
        const store = await place.open();
        const model = new Model();
        let newest = 0;
        for (const { steps, wait } of turns) {
          place.clock.advance(wait);
          const now = place.clock.now();
          const operations = steps.map((step): Operation => {
            const revision = model.live(step.name, now)?.revision ?? 0;
            const expectation: Expectation | undefined = step.wish === "current" ? revision : step.wish === "stale" ? revision + 1_000_000 : step.wish;
            const common = { kind: "k", name: step.name, ...(expectation === undefined ? {} : { expect: expectation }) };
            if (step.op === "put") return { ...common, op: "put", value: step.value, secret: step.secret, expires: step.life === undefined ? undefined : now + step.life };
            return { ...common, op: step.op } as Operation;
          });
          let outcome: string | undefined;
          let revisions: number[] = [];
          try {
            revisions = (await store.transact(operations)).map(({ revision }) => revision);
          } catch (error) {
            if (!(error instanceof GatehouseError)) throw error;
            outcome = error.code;
          }
          expect(model.apply(operations, now, revisions)).toBe(outcome);
          for (const revision of revisions) {
            expect(revision).toBeGreaterThan(newest);
            newest = revision;
          }
          const listed = await store.list("k");
          const expected = ["a", "b", "c"].flatMap((name) => {
            const item = model.live(name, now);
            return item ? [{ kind: "k", name, ...item }] : [];
          });
          expect(listed).toEqual(expected);
        }
      } finally {
        await place.remove();
      }
    }),
    { numRuns: 40 },
  );
}, 120_000);
