import fc from "fast-check";
import { expect, it } from "vitest";
import { chainText, lineHash, readChain, readLines, readWitnessLine, verifyLogs, type LogSource } from "./index.ts";

async function* pieces(bytes: Uint8Array, sizes: readonly number[]): AsyncGenerator<Uint8Array, void, void> {
  let at = 0;
  for (let n = 0; at < bytes.length; n += 1) {
    const size = sizes[n % sizes.length] ?? 1;
    yield bytes.subarray(at, at + size);
    at += size;
  }
}
const sizes = fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1, maxLength: 5 });
const link = fc.record({
  id: fc.stringMatching(/^[0-9a-f]{16}$/),
  n: fc.nat(),
  prev: fc.oneof(fc.constant(""), fc.string().map((text) => lineHash(text))),
});

it("a link comes back from whatever line it was put on", () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.jsonValue()), link, (fields, chain) => {
      const line = `{"event":"x"${JSON.stringify(fields).slice(1).replace(/^(?=[^}])/, ",").slice(0, -1)}${chainText(chain)}`;
      expect(readChain(Buffer.from(line))).toEqual(chain);
      expect((JSON.parse(line) as { chain: unknown }).chain).toEqual(chain);
    }),
  );
});

it("lines are the same however their bytes are split", async () => {
  await fc.assert(
    fc.asyncProperty(fc.string({ unit: fc.constantFrom("a", "ü", "\n") }), sizes, async (text, split) => {
      const found: string[] = [];
      for await (const batch of readLines(pieces(Buffer.from(text), split))) for (const { bytes } of batch) found.push(bytes.toString());
      const expected = text.split("\n");
      if (expected.at(-1) === "") expected.pop();
      expect(found).toEqual(expected);
    }),
  );
});

it("nothing that stands in a log or a witness's file makes verification throw, and none of it passes", async () => {
  const event = fc.record({ event: fc.constantFrom("audit.start", "audit.checkpoint", "audit.pruned", "session.start", "session.end", "x") }, { requiredKeys: ["event"] });
  const fields = fc.tuple(event, fc.dictionary(fc.constantFrom("key", "next", "seq", "signature", "time", "server_id", "previous", "files", "before", "recording", "sid", "torn"), fc.jsonValue()));
  const line = fc.oneof(
    fc.tuple(fields, link).map(([[head, rest], chain]) => JSON.stringify({ ...head, ...rest }).slice(0, -1) + chainText(chain)),
    fc.string({ unit: "binary" }),
    fc.json(),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(line, { minLength: 1, maxLength: 12 }), sizes, async (lines, split) => {
      const bytes = Buffer.from(`${lines.join("\n")}\n`);
      const source: LogSource = { server: "gw1", files: [{ name: "2026-11-24.00:00:00.log", size: bytes.length, read: () => pieces(bytes, split) }], recording: () => Promise.resolve(undefined) };
      const found = await verifyLogs({ sources: [source], witnesses: [{ name: "w", read: () => pieces(bytes, split) }] });
      expect(found.servers[0]!.proven).toBeUndefined();
      for (const one of lines) expect(readWitnessLine(Buffer.from(one))).toBeUndefined();
    }),
  );
});
