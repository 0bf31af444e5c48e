import { GatehouseError } from "../base/index.ts";
import { isPlainText } from "./bytes.ts";
import { derTag } from "./der.ts";

/** One element of DER. Throws `bad_parameter` above 64 KiB. */
export function der(tag: number, ...contents: readonly Uint8Array[]): Buffer {
  const length = contents.reduce((sum, each) => sum + each.length, 0);
  if (length > 0xffff) throw new GatehouseError("bad_parameter", "an ASN.1 element would be larger than 64 KiB");
  const head = length < 0x80 ? [tag, length] : length < 0x100 ? [tag, 0x81, length] : [tag, 0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from(head), ...contents]);
}

export function derSequence(...items: readonly Uint8Array[]): Buffer {
  return der(derTag.sequence, ...items);
}

/** SET OF: its items in the order of their encodings (X.690 §11.6). */
export function derSet(...items: readonly Buffer[]): Buffer {
  return der(derTag.set, ...[...items].sort((a, b) => a.compare(b)));
}

/** A non-negative INTEGER. */
export function derInteger(value: bigint): Buffer {
  const digits = value.toString(16);
  const bytes = Buffer.from(digits.padStart(digits.length + (digits.length % 2), "0"), "hex");
  return (bytes[0] ?? 0) >= 0x80 ? der(derTag.integer, Buffer.alloc(1), bytes) : der(derTag.integer, bytes);
}

export function derBoolean(value: boolean): Buffer {
  return der(derTag.boolean, Buffer.of(value ? 0xff : 0));
}

/** A BIT STRING of whole octets. */
export function derOctetBits(bytes: Uint8Array): Buffer {
  return der(derTag.bitString, Buffer.alloc(1), bytes);
}

/** A named-bit list with these positions set (X.690 §11.2.2); positions below 16. */
export function derNamedBits(positions: readonly number[]): Buffer {
  if (positions.length === 0) return der(derTag.bitString, Buffer.alloc(1));
  const top = Math.max(...positions);
  const octets = Buffer.alloc(Math.floor(top / 8) + 1);
  for (const position of positions) {
    const index = Math.floor(position / 8);
    octets[index] = (octets[index] ?? 0) | (0x80 >> (position % 8));
  }
  return der(derTag.bitString, Buffer.of(7 - (top % 8)), octets);
}

/** An OBJECT IDENTIFIER from its dotted form. */
export function derOid(dotted: string): Buffer {
  if (!/^[0-2](?:\.(?:0|[1-9]\d*))+$/.test(dotted)) throw new GatehouseError("bad_parameter", `"${dotted}" is not an object identifier`);
  const [first = 0n, second = 0n, ...rest] = dotted.split(".").map(BigInt);
  const octets: number[] = [];
  for (const arc of [first * 40n + second, ...rest]) {
    const group = [Number(arc & 0x7fn)];
    for (let left = arc >> 7n; left > 0n; left >>= 7n) group.unshift(Number(left & 0x7fn) | 0x80);
    octets.push(...group);
  }
  return der(derTag.oid, Buffer.from(octets));
}

/** A PrintableString where its alphabet allows, else a UTF8String: what v3 peers write. */
export function derText(text: string): Buffer {
  if (!isPlainText(text)) throw new GatehouseError("bad_parameter", "a text in a certificate contains NUL or a lone surrogate");
  return der(/^[A-Za-z0-9 '()+,\-./:=?]*$/.test(text) ? derTag.printableString : derTag.utf8String, Buffer.from(text, "utf8"));
}

/** A time in whole seconds (RFC 5280 §4.1.2.5), from ms since the epoch. */
export function derTime(ms: number): Buffer {
  if (!Number.isFinite(ms) || Math.abs(ms) > 8.64e15) throw new GatehouseError("bad_parameter", "a certificate's time is no time");
  const digits = new Date(ms).toISOString().replace(/\.\d+Z$/, "Z").replaceAll(/[-:T]/g, "");
  const year = Number(digits.slice(0, 4));
  if (digits.length !== 15 || year < 1950) throw new GatehouseError("bad_parameter", "a certificate's time lies outside the years 1950 to 9999");
  return year < 2050 ? der(derTag.utcTime, Buffer.from(digits.slice(2))) : der(derTag.generalizedTime, Buffer.from(digits));
}
