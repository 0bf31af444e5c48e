import { beforeEach, describe, expect, it } from "vitest";
import { systemRandom } from "@gatehouse/core/base";
import type { AgentLock } from "../parts.ts";
import { createLock } from "./index.ts";

let waits: number[];
let lines: string[];
const make = (): AgentLock => createLock({ random: systemRandom, log: (text) => void lines.push(text) }, { wait: async (ms) => void waits.push(ms) });
beforeEach(() => {
  waits = [];
  lines = [];
});
const text = (value: string): Buffer => Buffer.from(value);

describe("the agent's lock", () => {
  it("is locked at once, and opens for the same passphrase alone", async () => {
    const lock = make();
    const locking = lock.lock(text("open sesame"));
    expect(lock.isLocked).toBe(true);
    await locking;
    await expect(lock.unlock(text("open sesam"))).rejects.toMatchObject({ code: "access_denied" });
    expect(lock.isLocked).toBe(true);
    await lock.unlock(text("open sesame"));
    expect(lock.isLocked).toBe(false);
    expect(lines.join("\n")).not.toContain("sesam");
  });

  it("makes everybody wait longer after every wrong passphrase, and forgets that with the right one", async () => {
    const lock = make();
    await lock.lock(text("right"));
    for (let turn = 0; turn < 3; turn++) await expect(lock.unlock(text("wrong"))).rejects.toMatchObject({ code: "access_denied" });
    expect(waits).toEqual([100, 200, 300]);
    await lock.unlock(text("right"));
    await lock.lock(text("right"));
    await expect(lock.unlock(text("wrong"))).rejects.toMatchObject({ code: "access_denied" });
    expect(waits.at(-1)).toBe(100);
  });

  it("lets few try at once", async () => {
    const lock = make();
    await lock.lock(text("right"));
    const tries = await Promise.allSettled(Array.from({ length: 20 }, () => lock.unlock(text("wrong"))));
    const codes = tries.map((each) => (each.status === "rejected" ? (each.reason as { code: string }).code : "none"));
    expect(codes.filter((code) => code === "limit_exceeded")).toHaveLength(11);
    expect(codes.filter((code) => code === "access_denied")).toHaveLength(9);
  });

  it("refuses an empty passphrase, a second lock, and to open what is open", async () => {
    const lock = make();
    await expect(lock.lock(Buffer.alloc(0))).rejects.toMatchObject({ code: "bad_parameter" });
    await expect(lock.unlock(text("x"))).rejects.toMatchObject({ code: "not_found", message: "the local agent is not locked" });
    await lock.lock(text("x"));
    await expect(lock.lock(text("y"))).rejects.toMatchObject({ code: "already_exists" });
    await lock.unlock(text("x"));
  });

  it("overwrites what it was given", async () => {
    const lock = make();
    const [first, second, third] = [text("abc"), text("abd"), text("abc")];
    await lock.lock(first);
    await expect(lock.unlock(second)).rejects.toThrow();
    await lock.unlock(third);
    for (const each of [first, second, third]) expect(each).toEqual(Buffer.alloc(3));
  });
});
