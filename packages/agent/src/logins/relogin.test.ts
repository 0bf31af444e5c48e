import { describe, expect, it } from "vitest";
import { GatehouseError, manualClock } from "@gatehouse/core/base";
import { createRelogin, type ReloginTools } from "./relogin.ts";

const minute = 60_000;

function newRelogin(tools: Partial<ReloginTools> = {}) {
  const clock = manualClock(1_000_000);
  const state = { stored: null as string | null, browsers: 0, problem: undefined as GatehouseError | undefined };
  const relogin = createRelogin({
    clock,
    log: () => undefined,
    setting: () => "agent",
    fresh: () => Promise.resolve(state.stored),
    obstacle: () => Promise.resolve(undefined),
    login: async () => {
      state.browsers += 1;
      await new Promise((resolve) => setTimeout(resolve, 5));
      if (state.problem) throw state.problem;
      state.stored = "new";
    },
    ...tools,
  });
  return { clock, relogin, state };
}

const forty = (relogin: ReturnType<typeof createRelogin>): Promise<readonly unknown[]> => Promise.all(Array.from({ length: 40 }, () => relogin.wait("gw")));

describe("the agent's own login", () => {
  it("is one for forty who wait", async () => {
    const { relogin, state } = newRelogin();
    const answers = forty(relogin);
    await Promise.resolve();
    expect(await answers).toEqual(Array.from({ length: 40 }, () => ({ record: "new", reason: null })));
    expect(state.browsers).toBe(1);
    expect(relogin.isUnderWay).toBe(false);
  });

  it("is not made without the wish, without a desktop, or where a login is there", async () => {
    const { relogin, state } = newRelogin({ setting: () => "ask" });
    expect(await relogin.wait("gw")).toEqual({ record: null, reason: null });
    expect(await newRelogin({ obstacle: () => Promise.resolve("no desktop") }).relogin.wait("gw")).toEqual({ record: null, reason: "no desktop" });
    state.stored = "there";
    expect(await relogin.wait("gw")).toEqual({ record: "there", reason: null });
    expect(state.browsers).toBe(0);
  });

  it("tells everybody why it failed, and opens no second browser for ten minutes", async () => {
    const { clock, relogin, state } = newRelogin();
    state.problem = new GatehouseError("access_denied", "login failed: GitHub said no");
    expect(new Set((await forty(relogin)).map((answer) => JSON.stringify(answer)))).toEqual(new Set([JSON.stringify({ record: null, reason: "login failed: GitHub said no" })]));
    state.problem = undefined;
    clock.advance(10 * minute - 1);
    const again = { record: null, reason: "the agent opens one browser in ten minutes: login failed: GitHub said no" };
    expect(await relogin.wait("gw")).toEqual(again);
    const next = newRelogin();
    next.clock.set(clock.now());
    next.relogin.restore(relogin.state());
    expect(await next.relogin.wait("gw")).toEqual(again);
    expect(state.browsers).toBe(1);
    clock.advance(1);
    expect(await relogin.wait("gw")).toEqual({ record: "new", reason: null });
    state.stored = null;
    expect(await relogin.wait("gw")).toMatchObject({ record: null, reason: "the agent opens one browser in ten minutes: a login was made there already" });
  });

  it("is one for all gateways whose logins end at once", async () => {
    const { relogin, state } = newRelogin({ obstacle: () => new Promise((resolve) => setTimeout(resolve, 5, undefined)) });
    const answers = await Promise.all(["gw", "other", "third"].map((profile) => relogin.wait(profile)));
    expect(state.browsers).toBe(1);
    expect(answers[0]).toEqual({ record: "new", reason: null });
    for (const { reason } of answers.slice(1)) expect(reason).toBe("the agent opens one browser in ten minutes: another login is under way in the browser");
  });

  it("is there for whoever looked before it was made, and asks after", async () => {
    let looks = 0;
    let ended: () => void = () => undefined;
    const over = new Promise<void>((resolve) => (ended = resolve));
    const { relogin, state } = newRelogin({
      fresh: async () => {
        looks += 1;
        // What the second one sees is from before, and reaches it after.
        if (looks === 2) return over.then(() => null);
        return state.stored;
      },
    });
    const [first, second] = [relogin.wait("gw"), relogin.wait("gw")];
    expect(await first).toEqual({ record: "new", reason: null });
    ended();
    expect(await second).toEqual({ record: "new", reason: null });
    expect(state.browsers).toBe(1);
  });

  it("is one at a time for all gateways", async () => {
    const { relogin, state } = newRelogin();
    const [, other] = await Promise.all([relogin.wait("gw"), Promise.resolve().then(() => Promise.resolve()).then(() => relogin.wait("other"))]);
    expect(other.reason ?? other.record).toMatch(/another login is under way|new/);
    expect(state.browsers).toBe(1);
  });
});
