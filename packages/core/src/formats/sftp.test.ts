import { createHash, randomBytes } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { FileEvent } from "./file-events.ts";
import { createSftpTap } from "./sftp.ts";
import { sftpType } from "./sftp-packets.ts";
import { SshWriter } from "./ssh-wire.ts";

type Step = { readonly from: "client" | "host"; readonly bytes: Buffer };
const sha256 = (bytes: Buffer): string => createHash("sha256").update(bytes).digest("hex");

function packet(from: Step["from"], type: number, write: (writer: SshWriter) => SshWriter): Step {
  const body = write(new SshWriter()).toBuffer();
  return { from, bytes: new SshWriter().uint32(body.length + 1).byte(type).raw(body).toBuffer() };
}
const attributes = (writer: SshWriter): SshWriter => writer.uint32(0);
const hello = [packet("client", sftpType.init, (w) => w.uint32(3)), packet("host", sftpType.version, (w) => w.uint32(3).string("limits@openssh.com").string("1"))];
const open = (id: number, path: string, flags: number, handle = "h"): Step[] => [
  packet("client", sftpType.open, (w) => attributes(w.uint32(id).string(path).uint32(flags))),
  packet("host", sftpType.handle, (w) => w.uint32(id).string(handle)),
];
const read = (id: number, offset: number, length: number, handle = "h"): Step => packet("client", sftpType.read, (w) => w.uint32(id).string(handle).uint64(BigInt(offset)).uint32(length));
const data = (id: number, bytes: Buffer): Step => packet("host", sftpType.data, (w) => w.uint32(id).string(bytes));
const write = (id: number, offset: number, bytes: Buffer, handle = "h"): Step => packet("client", sftpType.write, (w) => w.uint32(id).string(handle).uint64(BigInt(offset)).string(bytes));
const status = (id: number, code: number, text = ""): Step => packet("host", sftpType.status, (w) => w.uint32(id).uint32(code).string(text).string(""));
const close = (id: number, handle = "h"): Step[] => [packet("client", sftpType.close, (w) => w.uint32(id).string(handle)), status(id, 0)];
const writing = 2 | 8 | 16;

function watch(steps: readonly Step[], cut = 0): { readonly events: FileEvent[]; readonly problem: string | undefined } {
  const events: FileEvent[] = [];
  const tap = createSftpTap((event) => events.push(event));
  for (const { from, bytes } of steps) {
    const size = cut === 0 ? bytes.length : cut;
    for (let at = 0; at < bytes.length; at += size) {
      if (from === "client") tap.fromClient(bytes.subarray(at, at + size));
      else tap.fromHost(bytes.subarray(at, at + size));
    }
  }
  const { problem } = tap;
  tap.end();
  return { events, problem };
}

const content = randomBytes(100_000);
const part = (start: number, end: number): Buffer => content.subarray(start, end);
const session: readonly Step[] = [
  ...hello,
  ...open(1, "/up", writing),
  write(2, 0, part(0, 40_000)), write(3, 40_000, part(40_000, 100_000)), status(2, 0), status(3, 0),
  ...close(4),
  ...open(5, "/down", 1),
  read(6, 0, 32_768), read(7, 32_768, 67_232), read(8, 100_000, 32_768),
  // The second is answered before the first, which comes up short and is asked for again.
  data(7, part(32_768, 100_000)), data(6, part(0, 1000)), status(8, 1), read(9, 1000, 31_768), data(9, part(1000, 32_768)),
  ...close(10),
  packet("client", sftpType.remove, (w) => w.uint32(11).string("/up")), status(11, 3, "Permission denied"),
  packet("client", sftpType.extended, (w) => w.uint32(12).string("posix-rename@openssh.com").string("/a").string("/b")), status(12, 0),
  packet("client", sftpType.symlink, (w) => w.uint32(13).string("to").string("/link")), status(13, 0),
  packet("client", sftpType.setstat, (w) => w.uint32(14).string("/b").uint32(4 | 8).uint32(0o100644).uint32(1).uint32(2)), status(14, 0),
];
const expected = [
  { action: "upload", path: "/up", ok: true, bytes: 100_000, sha256: sha256(content) },
  { action: "download", path: "/down", ok: true, bytes: 100_000, sha256: sha256(content) },
  { action: "remove", path: "/up", ok: false, error: "Permission denied" },
  { action: "rename", path: "/a", target: "/b", ok: true },
  { action: "symlink", path: "/link", target: "to", ok: true },
  { action: "setstat", path: "/b", detail: "mode 0644, times", ok: true },
];

describe("SFTP that passes", () => {
  it("is told file by file, however it is cut", () => {
    for (const cut of [0, 1, 7, 4096, 32_768]) expect(watch(session, cut)).toEqual({ events: expected, problem: undefined });
  });

  it.each<[string, readonly Step[], Partial<FileEvent>]>([
    ["a hole", [...open(1, "f", writing), write(2, 10, part(0, 5)), status(2, 0), ...close(3)], { ok: true, undigested: "parts of it did not pass" }],
    ["bytes that came twice", [...open(1, "f", writing), write(2, 0, part(0, 5)), write(3, 3, part(0, 5)), status(2, 0), status(3, 0), ...close(4)], { undigested: "parts of it passed more than once" }],
    ["a write that was refused", [...open(1, "f", writing), write(2, 0, part(0, 5)), status(2, 4, "Quota"), ...close(3)], { ok: false, error: "a write failed: Quota", undigested: "a write failed" }],
    ["a file that held something before", [...open(1, "f", 2), write(2, 0, part(0, 5)), status(2, 0), ...close(3)], { undigested: "it held something before" }],
    ["a file that was read in part", [...open(1, "f", 1), read(2, 0, 5), data(2, part(0, 5)), ...close(3)], { action: "download", undigested: "it was not read to its end" }],
    ["parts that are too far ahead", [...open(1, "f", writing), ...Array.from({ length: 90 }, (_, index) => write(10 + index, (index + 1) * 100_000, content)), ...close(3)], { undigested: "its parts passed too far out of order" }],
    ["a file that nobody closed", [...open(1, "f", writing), write(2, 0, part(0, 5)), status(2, 0)], { ok: false, error: "the session ended before it was closed" }],
    ["a file that was written to before it was known to be open", [open(1, "f", writing)[0]!, write(2, 0, part(0, 5)), open(1, "f", writing)[1]!, status(2, 0), ...close(3)], { undigested: "it was written to before it was known to be open" }],
    ["a file that was there, and opened as if it were new", [...open(1, "f", 2 | 32), write(2, 0, part(0, 5)), status(2, 0), ...close(3)], { undigested: "it held something before" }],
  ])("has no digest for %s", (_what, steps, event) => {
    const { events, problem } = watch([...hello, ...steps]);
    expect(problem).toBeUndefined();
    expect(events).toHaveLength(1);
    expect(events[0]).toMatchObject({ path: "f", ...event });
    expect(events[0]!.sha256).toBeUndefined();
  });

  it("takes no write behind a close for the closed file's", () => {
    const steps = [
      ...hello, ...open(1, "a", writing), write(2, 0, part(0, 5)), status(2, 0),
      // The host gives the handle that is free again to the next file, and the client knows that it will.
      close(3)[0]!, open(4, "b", writing)[0]!, write(5, 5, part(5, 9)), close(3)[1]!, open(4, "b", writing)[1]!, status(5, 0), ...close(6),
    ];
    expect(watch(steps)).toMatchObject({ problem: undefined, events: [{ path: "a", bytes: 5, sha256: sha256(part(0, 5)) }, { path: "b", undigested: "it was written to before it was known to be open" }] });
  });

  it("has one for a file that is read to the size that the host told", () => {
    const sized = packet("host", sftpType.attrs, (w) => w.uint32(2).uint32(1).uint64(5n));
    const asked = packet("client", sftpType.fstat, (w) => w.uint32(2).string("h"));
    const { events } = watch([...hello, ...open(1, "f", 1), asked, sized, read(3, 0, 5), data(3, part(0, 5)), ...close(4)]);
    expect(events).toEqual([{ action: "download", path: "f", ok: true, bytes: 5, sha256: sha256(part(0, 5)) }]);
  });

  it.each<[string, readonly Step[], RegExp]>([
    ["another version", [hello[0]!, packet("host", sftpType.version, (w) => w.uint32(6))], /version 6/],
    ["requests before the version", [hello[0]!, read(1, 0, 1)], /before the version/],
    ["a packet without end", [...hello, { from: "host", bytes: Buffer.from([0xff, 0xff, 0xff, 0xff, 103]) }], /a packet of 4294967295 bytes/],
    ["a long path", [...hello, { from: "client", bytes: Buffer.from([0, 2, 0, 0, sftpType.open]) }], /a packet of type 3 with 131072 bytes/],
    ["an unknown type", [...hello, packet("client", 99, (w) => w.uint32(1))], /a packet of type 99/],
    ["content of another length", [...hello, packet("host", sftpType.data, (w) => w.uint32(1).uint32(9).raw(Buffer.alloc(3)))], /content of another length/],
    ["two requests with one id", [...hello, read(1, 0, 1), read(1, 0, 1)], /the id of another/],
    ["an open with the id of a folder's", [...hello, packet("client", sftpType.opendir, (w) => w.uint32(1).string("/tmp")), open(1, "f", writing)[0]!], /the id of another/],
    ["an open with the id of a request that nobody knows", [...hello, packet("client", sftpType.extended, (w) => w.uint32(1).string("limits@openssh.com")), open(1, "f", writing)[0]!], /the id of another/],
    ["an answer to nothing", [...hello, status(1, 0)], /an answer to nothing/],
    ["a write that nobody opened a file for", [...hello, write(1, 0, part(0, 5)), status(1, 0)], /a file that nobody opened/],
    ["content that nobody opened a file for", [...hello, read(1, 0, 5), data(1, part(0, 5))], /a file that nobody opened/],
    ["text that is no SFTP", [{ from: "host", bytes: Buffer.from("Welcome to web-1!\n") }], /a packet of/],
  ])("is refused when there is %s", (_what, steps, problem) => {
    expect(watch(steps).problem).toMatch(problem);
  });

  it("never throws, whatever comes after whatever", () => {
    const steps = fc.array(fc.record({ from: fc.constantFrom("client" as const, "host" as const), bytes: fc.oneof(fc.uint8Array({ maxLength: 60 }).map((bytes) => Buffer.from(bytes)), fc.constantFrom(...session.map(({ bytes }) => bytes))) }), { maxLength: 30 });
    fc.assert(fc.property(steps, fc.integer({ min: 1, max: 50 }), (mixed, cut) => void watch([...hello, ...mixed], cut)), { numRuns: 300 });
  });
});
