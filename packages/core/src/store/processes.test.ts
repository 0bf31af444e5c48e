import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { copyFile, mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from "vitest";
import { systemClock } from "../base/index.ts";
import { createPlace, watch, type TestPlace } from "./testing.ts";

/** As the release has it: one bundle with the worker beside it, where node_modules can be found. */
const bundleFolder = fileURLToPath(new URL(`../../node_modules/.cache/store-test-${process.pid}`, import.meta.url));
const bundle = join(bundleFolder, "process.mjs");
const here = (file: string): string => fileURLToPath(new URL(file, import.meta.url));

let place: TestPlace;
const children: ChildProcess[] = [];

function start(job: string, count: number | string): ChildProcess {
  const child = spawn(process.execPath, [bundle, job, place.path, place.keyFile, String(count)], { stdio: ["ignore", "pipe", "inherit"] });
  children.push(child);
  return child;
}

beforeAll(async () => {
  await mkdir(bundleFolder, { recursive: true });
  await build({ entryPoints: [here("process-fixture.ts")], outfile: bundle, bundle: true, format: "esm", platform: "node", target: "node20.18", external: ["@photostructure/sqlite"], logLevel: "error" });
  await copyFile(here("sqlite-worker.mjs"), join(bundleFolder, "sqlite-worker.mjs"));
});
afterAll(() => rm(bundleFolder, { recursive: true, force: true }));
beforeEach(async () => {
  place = await createPlace();
});
afterEach(async () => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
  await place.remove();
});

it("lets processes that start at once on nothing count together without losing one", async () => {
  const codes = await Promise.all([1, 2, 3].map(async () => (await once(start("increment", 20), "exit")) as [number]));
  expect(codes.map(([code]) => code)).toEqual([0, 0, 0]);
  const store = await place.open();
  expect(await store.get("counter", "n")).toMatchObject({ value: "60", secret: "60" });
});

it("tells what another process commits, in order", async () => {
  const store = await place.open({ clock: systemClock });
  const feed = watch(store);
  await once(start("put", "a"), "exit");
  await store.transact([{ op: "put", kind: "role", name: "b", value: "{}" }]);
  await once(start("put", "c"), "exit");
  await feed.until(({ name }) => name === "c");
  expect(feed.seen.map(({ name }) => name)).toEqual(["a", "b", "c"]);
});

it("is old or new, never torn, after kill -9 at any moment, and keeps what was committed", async () => {
  let told = 0;
  for (let round = 0; round < 24; round += 1) {
    const child = start("pairs", told + 1);
    child.stdout?.on("data", (chunk: Buffer) => {
      const whole = chunk.toString().trim().split("\n").at(-1);
      told = Math.max(told, Number(whole));
    });
    await once(child.stdout!, "data");
    await new Promise((resolve) => setTimeout(resolve, Math.random() * 60));
    child.kill("SIGKILL");
    await once(child, "close");

    const store = await place.open();
    const [left, right] = [await store.get("pair", "left"), await store.get("pair", "right")];
    const n = left!.value;
    expect(left).toMatchObject({ secret: `secret ${n}` });
    expect(right).toMatchObject({ value: n.repeat(2000), secret: `secret ${n}` });
    expect(right!.revision).toBe(left!.revision + 1);
    expect(Number(n)).toBeGreaterThanOrEqual(told);
    told = Number(n);
    await store.close();
  }
}, 120_000);
