import { createHash, createPublicKey, diffieHellman, generateKeyPairSync } from "node:crypto";
import { ml_kem768 as mlKem } from "@noble/post-quantum/ml-kem.js";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { GatehouseError } from "../base/index.ts";
import { mlkem768x25519 as hybrid } from "./mlkem-x25519.ts";

/** Bytes of ML-KEM's key and ciphertext, and of each side's message. */
const [keyLength, ciphertextLength, initLength, replyLength] = [1184, 1088, 1216, 1120];
const q = 3329;

/** What this throws, which has to be typed. */
function refusal(act: () => unknown): string {
  try {
    act();
  } catch (error) {
    if (error instanceof GatehouseError && error.code === "bad_parameter") return error.message;
    throw error;
  }
  throw new Error("it was not refused");
}

function withByte(bytes: Buffer, at: number, change: number): Buffer {
  const changed = Buffer.from(bytes);
  changed[at] = changed[at]! ^ change;
  return changed;
}

/** A key whose number at `index` is this one; two of twelve bits are in three bytes. */
function withNumber(init: Buffer, index: number, value: number): Buffer {
  const changed = Buffer.from(init);
  const at = Math.floor(index / 2) * 3;
  const pair = changed.readUIntLE(at, 3);
  changed.writeUIntLE(index % 2 === 0 ? (pair & 0xff_f0_00) | value : (pair & 0xf_ff) | (value << 12), at, 3);
  return changed;
}

/** X25519 keys of small order, which lead every private key to nothing but zeros (RFC 7748 §6.1, the list at cr.yp.to/ecdh.html). */
const smallOrder = [
  "0000000000000000000000000000000000000000000000000000000000000000",
  "0100000000000000000000000000000000000000000000000000000000000000",
  "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
  "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
  "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
  "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
  "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
].map((hex) => Buffer.from(hex, "hex"));

describe("ML-KEM-768", () => {
  it("is the one that FIPS 203 and others' implementations have, refused ciphertexts too", () => {
    const rounds = 100;
    // The way of the accumulated vectors of Go's crypto/mlkem: seeds, messages and ciphertexts from one SHAKE-128, results into another.
    const stream = createHash("shake128", { outputLength: rounds * (64 + 32 + ciphertextLength) }).digest();
    let at = 0;
    const next = (length: number): Buffer => stream.subarray(at, (at += length));
    const results = createHash("shake128", { outputLength: 32 });
    for (let round = 0; round < rounds; round++) {
      const { publicKey, secretKey } = mlKem.keygen(next(64));
      const { cipherText, sharedSecret } = mlKem.encapsulate(publicKey, next(32));
      expect(mlKem.decapsulate(cipherText, secretKey)).toEqual(sharedSecret);
      results.update(publicKey).update(cipherText).update(sharedSecret).update(mlKem.decapsulate(next(ciphertextLength), secretKey));
    }
    expect(results.digest("hex")).toBe("1114b1b6699ed191734fa339376afa7e285c9e6acf6ff0177d346696ce564415");
  });
});

describe("mlkem768x25519-sha256", () => {
  it("has both sides agree on 32 bytes, with messages of the draft's lengths and never the same", () => {
    const seen = new Set<string>();
    for (let round = 0; round < 10; round++) {
      const { init, finish } = hybrid.begin();
      const { reply, secret } = hybrid.respond(init);
      expect([init.length, reply.length, secret.length]).toEqual([initLength, replyLength, 32]);
      expect(finish(reply)).toEqual(secret);
      for (const each of [init, reply, secret]) seen.add(each.toString("hex"));
    }
    expect(seen.size).toBe(30);
  });

  it("makes K of both secrets, ML-KEM's first", () => {
    const kem = mlKem.keygen();
    const curve = generateKeyPairSync("x25519");
    const { reply, secret } = hybrid.respond(Buffer.concat([kem.publicKey, curve.publicKey.export({ type: "spki", format: "der" }).subarray(-32)]));
    const theirs = createPublicKey({ key: { kty: "OKP", crv: "X25519", x: reply.subarray(ciphertextLength).toString("base64url") }, format: "jwk" });
    const secrets = [mlKem.decapsulate(reply.subarray(0, ciphertextLength), kem.secretKey), diffieHellman({ privateKey: curve.privateKey, publicKey: theirs })];
    expect(secret).toEqual(createHash("sha256").update(Buffer.concat(secrets)).digest());
  });

  it("leads to another secret, or none, when a byte of a message is another", () => {
    const sides = ["init", "reply"] as const;
    // X25519 does not look at its key's last bit. That the hash of the whole exchange does is a matter of the transport.
    const changes = fc.tuple(fc.constantFrom(...sides), fc.nat(initLength - 1), fc.integer({ min: 1, max: 255 })).map(([side, at, bits]) => ({ side, at: side === "init" ? at : at % replyLength, bits }));
    const looked = changes.filter(({ side, at, bits }) => (bits & 0x7f) !== 0 || at !== (side === "init" ? initLength : replyLength) - 1);
    fc.assert(
      fc.property(looked, ({ side, at, bits }) => {
        const { init, finish } = hybrid.begin();
        const respond = (): ReturnType<typeof hybrid.respond> => hybrid.respond(side === "init" ? withByte(init, at, bits) : init);
        let answer;
        try {
          answer = respond();
        } catch (error) {
          expect(error).toMatchObject({ code: "bad_parameter" });
          return;
        }
        expect(finish(side === "reply" ? withByte(answer.reply, at, bits) : answer.reply)).not.toEqual(answer.secret);
      }),
    );
  });

  it("refuses messages of any other length", () => {
    const { init, finish } = hybrid.begin();
    const { reply } = hybrid.respond(init);
    const resize = (bytes: Buffer, length: number): Buffer => Buffer.concat([bytes, Buffer.alloc(length)]).subarray(0, length);
    fc.assert(
      fc.property(fc.oneof(fc.nat(3000), fc.constantFrom(keyLength, initLength - 1, initLength + 1)).filter((length) => length !== initLength), (length) => {
        expect(refusal(() => hybrid.respond(resize(init, length)))).toBe(`the SSH client's key exchange has ${length} bytes, not ${initLength}`);
      }),
    );
    fc.assert(
      fc.property(fc.oneof(fc.nat(3000), fc.constantFrom(ciphertextLength, replyLength - 1, replyLength + 1)).filter((length) => length !== replyLength), (length) => {
        expect(refusal(() => finish(resize(reply, length)))).toBe(`the SSH server's key exchange has ${length} bytes, not ${replyLength}`);
      }),
    );
  });

  it("refuses an ML-KEM key with a number that is not modulo q, wherever it is", () => {
    const { init } = hybrid.begin();
    expect(hybrid.respond(withNumber(init, 0, q - 1)).reply.length).toBe(replyLength);
    fc.assert(
      fc.property(fc.nat(767), fc.oneof(fc.constantFrom(q, 4095), fc.integer({ min: q, max: 4095 })), (index, value) => {
        expect(refusal(() => hybrid.respond(withNumber(init, index, value)))).toBe("the SSH client's key exchange has an ML-KEM key that is none");
      }),
    );
  });

  it.each(smallOrder)("refuses an X25519 key of small order, %#", (key) => {
    const { init, finish } = hybrid.begin();
    const { reply } = hybrid.respond(init);
    for (const top of [0, 0x80]) {
      const bad = withByte(key, 31, top);
      expect(refusal(() => hybrid.respond(Buffer.concat([init.subarray(0, keyLength), bad])))).toBe("the SSH client's key exchange has an X25519 key that leads to no secret");
      expect(refusal(() => finish(Buffer.concat([reply.subarray(0, ciphertextLength), bad])))).toBe("the SSH server's key exchange has an X25519 key that leads to no secret");
    }
  });
});
