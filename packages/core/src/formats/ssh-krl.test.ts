import { execFile } from "node:child_process";
import { generateKeyPairSync } from "node:crypto";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { GatehouseError, systemRandom } from "../base/index.ts";
import { requireTool } from "../testing/index.ts";
import { SshWriter, encodeKrl, formatAuthorizedKey, parseKrl, signSshCertificate, sshPublicKey, type KeyRevocationList } from "./index.ts";

const run = promisify(execFile);
const authority = generateKeyPairSync("ed25519").privateKey;
const other = generateKeyPairSync("ed25519").privateKey;
const subject = generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey;
const krl = (changes: Partial<KeyRevocationList> = {}): KeyRevocationList => ({ version: 3n, generated: 1_700_000_000_000, comment: "example", certificates: [], keys: [], ...changes });
const of = (serials: readonly (readonly [bigint, bigint])[], keyIds: readonly string[], caKey: Uint8Array = sshPublicKey(authority)): KeyRevocationList["certificates"][number] => ({ caKey, serials: serials.map(([first, last]) => ({ first, last })), keyIds });

describe("key revocation lists", () => {
  it("are read as they were written", () => {
    const list = krl({ certificates: [of([[1n, 1n], [5n, 9n], [2n ** 64n - 1n, 2n ** 64n - 1n]], ["ana session=1", "bo"]), of([], ["x"], Buffer.alloc(0))], keys: [sshPublicKey(subject)] });
    const read = parseKrl(encodeKrl(list));
    expect(read).toEqual({ ...list, certificates: list.certificates.map((each) => ({ ...each, caKey: Buffer.from(each.caKey) })) });
  });

  it.each([[[[0n, 0n]]], [[[5n, 4n]]], [[[2n, 2n], [1n, 1n]]], [[[1n, 5n], [5n, 6n]]]] as const)("are not written with serials %s", (serials) => {
    expect(() => encodeKrl(krl({ certificates: [of(serials, [])] }))).toThrow(GatehouseError);
  });

  it("of any content come back, and any damage is told", () => {
    const serials = fc.uniqueArray(fc.bigInt(1n, 2n ** 64n - 2n), { maxLength: 20 }).map((all) => [...all].sort((a, b) => (a < b ? -1 : 1)).map((value) => [value, value] as const));
    fc.assert(
      fc.property(serials, fc.array(fc.string({ unit: "grapheme", minLength: 1 }).filter((text) => !/[\0\p{Surrogate}]/u.test(text)), { maxLength: 10 }), fc.nat(), fc.nat(255), fc.nat(), (given, ids, at, value, cut) => {
        const bytes = encodeKrl(krl({ certificates: [of(given, ids)] }));
        const [read] = parseKrl(bytes).certificates;
        expect(read?.keyIds).toEqual(ids);
        expect(read?.serials.map(({ first }) => first)).toEqual(given.map(([first]) => first));
        for (const damaged of [bytes.subarray(0, cut % bytes.length), Buffer.concat([bytes.subarray(0, at % bytes.length), Buffer.of(value), bytes.subarray((at % bytes.length) + 1)])]) {
          try {
            parseKrl(damaged);
          } catch (error) {
            expect(error).toBeInstanceOf(GatehouseError);
          }
        }
      }),
    );
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (tail) => {
        try {
          parseKrl(Buffer.concat([encodeKrl(krl()), tail]));
        } catch (error) {
          expect(error).toBeInstanceOf(GatehouseError);
        }
      }),
      { numRuns: 1000 },
    );
  });

  it("with what is not known are refused, not passed over", () => {
    const add = (type: number, content: Buffer): Buffer => Buffer.concat([encodeKrl(krl()), Buffer.of(type), new SshWriter().string(content).toBuffer()]);
    expect(() => parseKrl(add(5, Buffer.alloc(0)))).toThrow(/a section of a kind/);
    const part = new SshWriter().string(sshPublicKey(authority)).string("").raw(Buffer.of(0x39)).string("x").toBuffer();
    expect(() => parseKrl(add(1, part))).toThrow(/a part of a kind/);
    const bitmap = new SshWriter().string("").string("").raw(Buffer.of(0x22)).string(new SshWriter().uint64(1n).mpint(Buffer.alloc(200_000, 1)).toBuffer()).toBuffer();
    expect(() => parseKrl(add(1, bitmap))).toThrow(/a bitmap of more than/);
  });
});

describe.skipIf(!requireTool("ssh-keygen", "apt-get install openssh-client"))("key revocation lists and ssh-keygen", () => {
  let directory: string;
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), "gatehouse-krl-"));
  });
  afterAll(() => rm(directory, { recursive: true, force: true }));
  const file = (name: string): string => join(directory, name);

  /** What `ssh-keygen -Q` says: whether the list revokes. */
  async function asked(list: KeyRevocationList, line: string): Promise<boolean> {
    await writeFile(file("krl"), encodeKrl(list));
    await writeFile(file("key.pub"), line);
    return run("ssh-keygen", ["-Q", "-f", file("krl"), file("key.pub")]).then(
      ({ stdout }) => stdout.includes("REVOKED"),
      (error: unknown) => {
        expect(error).toMatchObject({ stdout: expect.stringContaining("REVOKED") as string });
        return true;
      },
    );
  }
  const certificate = (changes: { readonly serial?: bigint; readonly keyId?: string; readonly by?: typeof authority }): string =>
    signSshCertificate(
      { type: "user", publicKey: sshPublicKey(subject), serial: changes.serial ?? 7n, keyId: changes.keyId ?? "ana session=1", principals: ["a"], validAfter: 0n, validBefore: 2n ** 40n, criticalOptions: new Map(), extensions: new Map() },
      changes.by ?? authority,
      systemRandom,
    );

  it("agree about serials, ranges, key ids and keys", async () => {
    const list = krl({ certificates: [of([[1n, 1n], [5n, 9n], [2n ** 64n - 1n, 2n ** 64n - 1n]], ["ana session=1"])] });
    expect(await asked(list, certificate({ serial: 2n }))).toBe(true);
    expect(await asked(list, certificate({ serial: 2n, by: other }))).toBe(false);
    for (const [serial, revoked] of [[1n, true], [2n, false], [5n, true], [7n, true], [9n, true], [10n, false], [2n ** 64n - 1n, true]] as const) expect(await asked(list, certificate({ serial, keyId: "bo" })), String(serial)).toBe(revoked);
    expect(await asked(list, certificate({ serial: 2n, keyId: "ana session=12" }))).toBe(false);
    expect(await asked(krl({ certificates: [of([], ["bo"], Buffer.alloc(0))] }), certificate({ keyId: "bo", by: other }))).toBe(true);
    expect(await asked(krl({ keys: [sshPublicKey(subject)] }), `${formatAuthorizedKey(sshPublicKey(subject))}\n`)).toBe(true);
    expect(await asked(krl(), `${formatAuthorizedKey(sshPublicKey(subject))}\n`)).toBe(false);
  });

  it("are read as it writes them", async () => {
    await writeFile(file("ca.pub"), `${formatAuthorizedKey(sshPublicKey(authority))}\n`);
    await writeFile(file("spec"), "serial: 1-3\nserial: 10\nserial: 12\nserial: 14\nserial: 1000000-2000000\nid: ana session=1\n");
    await run("ssh-keygen", ["-k", "-f", file("made"), "-s", file("ca.pub"), "-z", "9", file("spec")]);
    const read = parseKrl(await readFile(file("made")));
    expect(read.version).toBe(9n);
    expect(read.certificates.flatMap(({ keyIds }) => keyIds)).toEqual(["ana session=1"]);
    const covers = (serial: bigint): boolean => read.certificates.some(({ serials }) => serials.some(({ first, last }) => first <= serial && serial <= last));
    expect([1n, 2n, 3n, 4n, 9n, 10n, 11n, 12n, 13n, 14n, 15n, 999_999n, 1_000_000n, 2_000_000n, 2_000_001n].filter(covers)).toEqual([1n, 2n, 3n, 10n, 12n, 14n, 1_000_000n, 2_000_000n]);
  });
});
