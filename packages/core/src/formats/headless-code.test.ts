import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { headlessCode, readHeadlessCode, type HeadlessFacts } from "./headless-code.ts";

const facts: HeadlessFacts = { id: "AAAAAAAAAAAAAAAAAAAAAA", pollSecret: "s", publicKey: "ecdsa-sha2-nistp256 AAAA ana@host\n" };

describe("the code of a login that is approved elsewhere", () => {
  it("is eight letters and digits that nobody mixes up, the same at both ends", () => {
    expect(headlessCode(facts)).toBe("109N-S7ZY");
    expect(headlessCode({ ...facts, publicKey: "ecdsa-sha2-nistp256 AAAA" })).toBe(headlessCode(facts));
    fc.assert(
      fc.property(fc.string(), fc.string(), fc.string(), (id, pollSecret, publicKey) => {
        const code = headlessCode({ id, pollSecret, publicKey });
        return /^[0-9A-HJKMNP-TV-Z]{4}-[0-9A-HJKMNP-TV-Z]{4}$/.test(code) && readHeadlessCode(code) === code;
      }),
    );
  });

  it("is another one for another key, request or secret, however they are cut", () => {
    const others = [{ id: "B" }, { pollSecret: "t" }, { publicKey: "ecdsa-sha2-nistp256 AAAB" }, { id: `${facts.id}s`, pollSecret: "" }].map((change) => headlessCode({ ...facts, ...change }));
    expect(new Set([headlessCode(facts), ...others]).size).toBe(5);
  });

  it("is read as people type it", () => {
    for (const typed of ["DT1J-N1D5", " dt1jn1d5 ", "dtij–nld5", "DT1J N1D5", "d-t-1-j-n-1-d-5"]) expect(readHeadlessCode(typed)).toBe("DT1J-N1D5");
    expect(readHeadlessCode("o0o0-iLl1")).toBe("0000-1111");
    for (const typed of ["", "DT1J-N1D", "DT1J-N1D55", "DT1J-N1DU", "DT1J_N1D5", "☃".repeat(8), "A".repeat(100_000)]) expect(readHeadlessCode(typed)).toBeUndefined();
  });
});
