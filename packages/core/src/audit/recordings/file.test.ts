import { constants } from "node:fs";
import { mkdtemp, open, readFile, readdir, readlink, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Buffers, beginsPage, largeBuffer } from "./buffers.ts";
import { createFile, cutAtPages, filePage } from "./file.ts";

let folder: string;
let count = 0;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "file-"));
});
afterAll(() => rm(folder, { recursive: true }));
const next = (): string => join(folder, String(count++));

/** Descriptors of this process that have a file open, and whether each goes past the system's cache. */
async function descriptors(path: string): Promise<boolean[]> {
  const found: boolean[] = [];
  for (const fd of await readdir("/proc/self/fd")) {
    if ((await readlink(join("/proc/self/fd", fd)).catch(() => "")) !== path) continue;
    const flags = /^flags:\s+([0-7]+)$/m.exec(await readFile(join("/proc/self/fdinfo", fd), "utf8"))?.[1] ?? "";
    found.push((Number.parseInt(flags, 8) & constants.O_DIRECT) !== 0);
  }
  return found.sort();
}

/** Whether files of this folder can be written past the system's cache. */
async function canPass(): Promise<boolean> {
  try {
    await (await open(next(), constants.O_CREAT | constants.O_WRONLY | constants.O_DIRECT)).close();
    return true;
  } catch {
    return false;
  }
}

/** Chunks as recordings have them: in memory whose pages are known, or not, from somewhere in it on. */
const shapes = fc.array(fc.record({ large: fc.boolean(), skip: fc.oneof(fc.constant(0), fc.nat(2 * filePage)), length: fc.oneof(fc.constant(largeBuffer), fc.integer({ min: 1, max: 3 * filePage }), fc.integer({ min: 1, max: largeBuffer })) }), { minLength: 1, maxLength: 6 });
const positions = fc.oneof(fc.nat(20).map((pages) => pages * filePage), fc.nat(100_000));

function chunksOf(wanted: typeof shapes extends fc.Arbitrary<infer T> ? T : never): Buffer[] {
  const buffers = new Buffers();
  return wanted.map(({ large, skip, length }, index) => {
    const memory = large ? buffers.take(largeBuffer) : Buffer.allocUnsafeSlow(largeBuffer);
    const chunk = memory.subarray(skip, skip + length);
    for (let at = 0; at < chunk.length; at += 7) chunk[at] = index + at;
    return chunk;
  });
}

describe("what is cut at pages", () => {
  it("is all there in its order, and said to be whole pages only where it is", () => {
    fc.assert(
      fc.property(shapes, positions, (wanted, position) => {
        const chunks = chunksOf(wanted);
        const runs = cutAtPages(chunks, position);
        expect(Buffer.concat(runs.flatMap((run) => run.chunks)).equals(Buffer.concat(chunks))).toBe(true);
        let at = position;
        for (const run of runs) {
          expect(run.position).toBe(at);
          if (run.whole) expect([run.position % filePage, ...run.chunks.map((chunk) => (beginsPage(chunk, filePage) ? chunk.length % filePage : -1))].every((rest) => rest === 0)).toBe(true);
          at += run.chunks.reduce((sum, chunk) => sum + chunk.length, 0);
        }
      }),
      { numRuns: 60 },
    );
  });

  it("is one run where all of it is whole pages", () => {
    const buffers = new Buffers();
    expect(cutAtPages([buffers.take(largeBuffer), buffers.take(largeBuffer)], 5 * filePage)).toMatchObject([{ position: 5 * filePage, whole: true }]);
    const late = [buffers.take(largeBuffer).subarray(639), buffers.take(largeBuffer)];
    expect(cutAtPages(late, 639).map(({ position, whole }) => [position, whole])).toEqual([[639, false], [filePage, true]]);
  });
});

describe("a file", () => {
  it("has what was written, past the system's cache and through it in turn", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(shapes, fc.boolean()), { minLength: 1, maxLength: 4 }), async (writes) => {
        const path = next();
        const file = await createFile(path);
        const all: Buffer[] = [];
        let position = 0;
        for (const [wanted, pastCache] of writes) {
          const chunks = chunksOf(wanted);
          await file.write(chunks, position, pastCache);
          all.push(...chunks);
          position += chunks.reduce((sum, chunk) => sum + chunk.length, 0);
        }
        await file.datasync();
        await file.close();
        expect((await readFile(path)).equals(Buffer.concat(all))).toBe(true);
      }),
      { numRuns: 25 },
    );
  });

  it("is written past the system's cache where the file system has that, and leaves no descriptor", async () => {
    const path = next();
    const file = await createFile(path);
    const chunk = new Buffers().take(largeBuffer).fill(1);
    await file.write([chunk], 0);
    expect(await descriptors(path)).toEqual([false]);
    await file.write([chunk], largeBuffer, true);
    expect(await descriptors(path)).toEqual((await canPass()) ? [false, true] : [false]);
    // Closed while it is written, perhaps while it is opened for that.
    await file.close();
    expect(await descriptors(path)).toEqual([]);
    const hasty = next();
    const second = await createFile(hasty);
    const writing = second.write([chunk], 0, true);
    await Promise.all([second.close(), writing]);
    expect([await descriptors(hasty), (await readFile(hasty)).equals(chunk)]).toEqual([[], true]);
  });
});
