import { describe, expect, it } from "vitest";
import { GatehouseError, manualClock } from "../../base/index.ts";
import { keepFresh, type Joined } from "./index.ts";

const minute = 60_000;

/** Runs until `steps` waits have passed. */
async function keep(steps: number, join: (now: number) => Joined): Promise<{ readonly written: number[]; readonly failed: string[]; readonly waits: number[]; readonly end: unknown }> {
  const clock = manualClock(0);
  const [written, failed, waits]: [number[], string[], number[]] = [[], [], []];
  const stop = new Error("enough");
  const end: unknown = await keepFresh({
    joiner: { join: () => Promise.resolve().then(() => join(clock.now())) },
    write: () => Promise.resolve(),
    clock,
    sleep: (ms) => {
      waits.push(ms);
      if (waits.length > steps) return Promise.reject(stop);
      clock.advance(ms);
      return Promise.resolve();
    },
    written: () => written.push(clock.now()),
    failed: ({ message }) => failed.push(message),
  }).catch((error: unknown) => error);
  return { written, failed, waits, end: end === stop ? undefined : end };
}

const hourOf = (now: number): Joined => ({ record: { expires: now + 60 * minute }, account: {} }) as unknown as Joined;

describe("keeping a login fresh", () => {
  it("renews when two thirds are over", async () => {
    expect((await keep(3, hourOf)).written).toEqual([0, 40 * minute, 80 * minute, 120 * minute]);
  });

  it("tries again, less and less often, what fails on the way", async () => {
    const { failed, waits, written } = await keep(5, (now) => {
      if (now > 0 && now < 41 * minute) throw new GatehouseError("unavailable", "down");
      return hourOf(now);
    });
    expect(failed).toEqual(["down", "down", "down", "down"]);
    expect(waits.slice(1)).toEqual([5000, 10_000, 20_000, 40_000, 40 * minute]);
    expect(written).toHaveLength(2);
  });

  it("ends with the cause where the first join fails, and when the certificates have ended", async () => {
    const no = (): never => {
      throw new GatehouseError("access_denied", "no");
    };
    expect(await keep(3, no)).toMatchObject({ waits: [], end: { code: "access_denied" } });
    const { end, waits } = await keep(1000, (now) => (now === 0 ? hourOf(now) : no()));
    expect(end).toMatchObject({ code: "access_denied" });
    expect(waits.reduce((sum, wait) => sum + wait, 0)).toBe(60 * minute);
  });
});
