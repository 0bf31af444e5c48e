import { mkdtemp, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { manualClock } from "@gatehouse/core/base";
import { openLog } from "./index.ts";
import { watchIdle } from "./idle.ts";

describe("the idle exit", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it("comes once nothing was asked and nothing held for the time, and starts anew with a clock that is set back", () => {
    const clock = manualClock(1_000_000);
    let isIdle = false;
    let ended = 0;
    const idle = watchIdle({ clock, time: 900_000, interval: 30_000, isIdle: () => isIdle, onEnd: () => ended++ });
    const pass = (ms: number): void => {
      for (let left = ms; left > 0; left -= 30_000) {
        clock.advance(30_000);
        vi.advanceTimersByTime(30_000);
      }
    };
    pass(3_600_000);
    expect([ended, idle.end]).toEqual([0, undefined]);
    isIdle = true;
    pass(870_000);
    expect([ended, idle.end]).toEqual([0, clock.now() + 30_000]);
    idle.touch();
    pass(870_000);
    clock.advance(-7_200_000);
    pass(870_000);
    expect(ended).toBe(0);
    pass(60_000);
    expect(ended).toBe(1);
    pass(1_800_000);
    expect(ended).toBe(1);
  });
});

describe("the agent's log", () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "gatehouse-log-"));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  it("is for its owner alone, in lines, and never beyond its bound", async () => {
    const path = join(folder, "agent.log");
    const log = openLog(path, manualClock(0), () => expect.unreachable());
    log.write("first\nline \u001b[31m");
    await log.close();
    expect(await readFile(path, "utf8")).toMatch(/^1970-01-01T00:00:00\.000Z \d+ first\\nline \\[^\n]*\n$/);
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    for (let round = 0; round < 3; round++) {
      for (let line = 0; line < 500; line++) log.write("x".repeat(1500));
      await log.close();
    }
    expect((await stat(path)).size + (await stat(`${path}.1`)).size).toBeLessThanOrEqual(1024 * 1024);
  });

  it("says once that it cannot be written, and how many lines a slow disk has lost", async () => {
    const said: string[] = [];
    const broken = openLog(join(folder, "absent", "agent.log"), manualClock(0), (text) => said.push(text));
    broken.write("a");
    broken.write("b");
    await broken.close();
    expect(said).toEqual([expect.stringMatching(/agent\.log cannot be written: ENOENT/)]);
    const slow = openLog(join(folder, "agent.log"), manualClock(0), () => expect.unreachable());
    for (let line = 0; line < 1200; line++) slow.write("x");
    await slow.close();
    slow.write("y");
    await slow.close();
    expect(await readFile(join(folder, "agent.log"), "utf8")).toMatch(/ 200 lines before this one could not be written in time\n.* y\n$/);
  });
});
