import { describe, expect, it } from "vitest";
import { Buffers, beginsPage, largeBuffer, smallBuffer } from "./buffers.ts";

describe("memory for chunks", () => {
  it("is nobody else's while it is out, and counted; large pieces begin a page, as long as there are such", () => {
    const buffers = new Buffers();
    const pieces = Array.from({ length: 40 }, () => buffers.take(largeBuffer));
    pieces.push(buffers.take(smallBuffer));
    for (const [index, piece] of pieces.entries()) piece.fill(index);
    expect(pieces.every((piece, index) => piece.every((byte) => byte === index))).toBe(true);
    expect(pieces.filter((piece) => beginsPage(piece, 4096))).toHaveLength(32);
    expect(buffers.out).toBe(40 * largeBuffer + smallBuffer);
    for (const piece of pieces) buffers.release(piece.subarray(0, 100));
    expect(buffers.out).toBe(0);
    const again = Array.from({ length: 33 }, () => buffers.take(largeBuffer));
    expect(again.map((piece) => beginsPage(piece, 4096))).toEqual([...Array.from({ length: 32 }, () => true), false]);
  });

  it("that is given up while a disk may read it is used again when nobody does, however little of it is given back", () => {
    const buffers = new Buffers();
    const pieces = Array.from({ length: 32 }, () => buffers.take(largeBuffer));
    const hung = pieces[7]!.subarray(4095, 8000);
    buffers.drop(hung);
    expect(buffers.out).toBe(31 * largeBuffer);
    expect(beginsPage(buffers.take(largeBuffer), 4096)).toBe(false);
    buffers.reuse(hung);
    const next = buffers.take(largeBuffer);
    expect([next.buffer === hung.buffer, next.byteOffset, next.length]).toEqual([true, pieces[7]!.byteOffset, largeBuffer]);
  });

  it("is not known to begin a page where it does not, or where Node has made it", () => {
    const piece = new Buffers().take(largeBuffer);
    expect([piece, piece.subarray(1), piece.subarray(4096), Buffer.alloc(largeBuffer)].map((one) => beginsPage(one, 4096))).toEqual([true, false, true, false]);
  });
});
