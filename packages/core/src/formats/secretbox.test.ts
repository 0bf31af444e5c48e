import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { GatehouseError, systemRandom } from "../base/index.ts";
import { open, seal } from "./index.ts";

const key = Buffer.alloc(32, 7);
const bytes = (length: number): fc.Arbitrary<Uint8Array> => fc.uint8Array({ minLength: length, maxLength: length });

describe("the sealed answer", () => {
  it("opens to what was sealed, under its key alone", () => {
    fc.assert(fc.property(bytes(32), bytes(32), fc.uint8Array(), (right, wrong, plaintext) => {
      const text = seal(right, plaintext, systemRandom);
      expect(open(right, text).equals(plaintext)).toBe(true);
      if (!Buffer.from(right).equals(wrong)) expect(() => open(wrong, text)).toThrow(/another login/);
    }));
  });

  // The secretbox of NaCl's own tests (key, nonce, message and box of `secretbox.c`), which Go's package agrees with.
  it("is NaCl's secretbox, bit for bit", () => {
    const hex = (text: string): Buffer => Buffer.from(text, "hex");
    const naclKey = hex("1b27556473e985d462cd51197a9a46c76009549eac6474f206c4ee0844f68389");
    const nonce = hex("69696ee955b62b73cd62bda875fc73d68219e0036b7a0b37");
    const message = hex(
      "be075fc53c81f2d5cf141316ebeb0c7b5228c52a4c62cbd44b66849b64244ffce5ecbaaf33bd751a1ac728d45e6c61296cdc3c01233561f41db66cce314adb310e3be8250c46f06dceea3a7fa1348057e2f6556ad6b1318a024a838f21af1fde048977eb48f59ffd4924ca1c60902e52f0a089bc76897040e082f937763848645e0705",
    );
    const box = hex(
      "f3ffc7703f9400e52a7dfb4b3d3305d98e993b9f48681273c29650ba32fc76ce48332ea7164d96a4476fb8c531a1186ac0dfc17c98dce87b4da7f011ec48c97271d2c20f9b928fe2270d6fb863d51738b48eeee314a7cc8ab932164548e526ae90224368517acfeabd6bb3732bc0e9da99832b61ca01b6de56244a9e88d5f9b37973f622a43d14a6599b1f654cb45a74e355a5",
    );
    const text = seal(naclKey, message, () => nonce);
    expect(JSON.parse(text)).toEqual({ Ciphertext: box.toString("base64"), Nonce: nonce.toString("base64") });
    expect(Object.keys(JSON.parse(text) as object)).toEqual(["Ciphertext", "Nonce"]);
  });

  it("does not open when a byte was changed", () => {
    const sealed = JSON.parse(seal(key, "secret", systemRandom)) as { Ciphertext: string; Nonce: string };
    for (const field of ["Ciphertext", "Nonce"] as const) {
      const raw = Buffer.from(sealed[field], "base64");
      for (let at = 0; at < raw.length; at++) {
        const changed = Buffer.from(raw);
        changed[at]! ^= 1;
        expect(() => open(key, JSON.stringify({ ...sealed, [field]: changed.toString("base64") }))).toThrow(/another login/);
      }
    }
  });

  const { Ciphertext, Nonce } = JSON.parse(seal(key, "secret", systemRandom)) as { Ciphertext: string; Nonce: string };
  it.each<[string, string]>([
    ["another field", JSON.stringify({ Ciphertext, Nonce, Extra: 1 })],
    ["a field missing", JSON.stringify({ Ciphertext })],
    ["names in another case", JSON.stringify({ ciphertext: Ciphertext, nonce: Nonce })],
    ["a number", JSON.stringify({ Ciphertext: 1, Nonce })],
    ["a list", "[]"],
    ["null", "null"],
    ["no JSON", "hello"],
    ["a short nonce", JSON.stringify({ Ciphertext, Nonce: "AAAA" })],
    ["a short box", JSON.stringify({ Ciphertext: "AAAA", Nonce })],
    ["URL base64", JSON.stringify({ Ciphertext: "_-__", Nonce })],
    ["more than a mebibyte", JSON.stringify({ Ciphertext: "A".repeat(1024 * 1024), Nonce })],
  ])("refuses %s", (_, text) => {
    expect(() => open(key, text)).toThrow(GatehouseError);
  });

  it("wants a key of 32 bytes, and says nothing of what it read", () => {
    expect(() => seal(key.subarray(1), "x", systemRandom)).toThrow(/32 bytes/);
    expect(() => open(key.subarray(1), "{}")).toThrow(/32 bytes/);
    expect(() => open(key, "{hush")).toThrow(/^the sealed answer is not JSON$/);
  });
});
