import { expect, it } from "vitest";
import { createGate } from "./index.ts";

it("lets so many run, so many wait in their order, and refuses the rest", async () => {
  const gate = createGate({ running: 2, waiting: 3, what: "searches" });
  const begun: number[] = [];
  const ends: (() => void)[] = [];
  const works = [0, 1, 2, 3, 4, 5].map((number) =>
    gate.run(async () => {
      begun.push(number);
      await new Promise<void>((resolve) => ends.push(resolve));
      if (number === 1) throw new Error("broken");
      return number;
    }),
  );
  await expect(works[5]).rejects.toMatchObject({ code: "limit_exceeded", message: "there are too many searches at once" });
  expect(begun).toEqual([0, 1]);
  const settled = Promise.allSettled(works);
  for (let done = 0; done < 5; done++) {
    await new Promise((resolve) => setImmediate(resolve));
    expect(begun.length - done).toBeLessThanOrEqual(2);
    ends[done]?.();
  }
  expect((await settled).map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled", "fulfilled", "fulfilled", "rejected"]);
  expect(begun).toEqual([0, 1, 2, 3, 4]);
  const again = gate.run(() => Promise.resolve("again"));
  expect(await again).toBe("again");
});
