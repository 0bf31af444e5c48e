import { isIP, SocketAddress } from "node:net";
import { GatehouseError } from "../base/index.ts";
import { derTag, type DerReader } from "./der.ts";
import { derOid, derSequence, derSet, derText } from "./der-write.ts";

/** Attributes of a distinguished name in the order in which they are written (reference §4.1). */
const attributes = {
  C: "2.5.4.6",
  O: "2.5.4.10",
  OU: "2.5.4.11",
  L: "2.5.4.7",
  ST: "2.5.4.8",
  street: "2.5.4.9",
  postalCode: "2.5.4.17",
  CN: "2.5.4.3",
  serialNumber: "2.5.4.5",
} as const;
const maxValues = 4096;

/** An attribute of a distinguished name. */
export type NameAttribute = keyof typeof attributes;
/** A distinguished name: the values of each attribute. Attributes of other types are left out when reading. */
export type DistinguishedName = Readonly<Partial<Record<NameAttribute, readonly string[]>>>;

const byOid: ReadonlyMap<string, NameAttribute> = new Map(Object.entries(attributes).map(([name, oid]) => [oid, name as NameAttribute]));

/** DER of a name: one relative name a type of attribute, with all its values (a SET), in v3's order. */
export function encodeName(name: DistinguishedName): Buffer {
  const parts = Object.entries(attributes).flatMap(([attribute, oid]) => {
    const values = name[attribute as NameAttribute] ?? [];
    if (values.includes("")) throw new GatehouseError("bad_parameter", `a certificate's name has an empty ${attribute}`);
    return values.length === 0 ? [] : [derSet(...values.map((value) => derSequence(derOid(oid), derText(value))))];
  });
  return derSequence(...parts);
}

/** Reads a Name element; takes one relative name per value as well. The order inside a SET is not checked: v3 peers do not sort. */
export function readName(reader: DerReader): DistinguishedName {
  const name: Partial<Record<NameAttribute, string[]>> = {};
  const sequence = reader.enter(derTag.sequence);
  let count = 0;
  while (!sequence.done) {
    const set = sequence.enter(derTag.set);
    do {
      if (++count > maxValues) throw reader.error(`a name of more than ${maxValues} values`);
      const pair = set.enter(derTag.sequence);
      const attribute = byOid.get(pair.oid());
      if (attribute) (name[attribute] ??= []).push(pair.text());
      else pair.element();
      pair.end();
    } while (!set.done);
  }
  return name;
}

/** 4 or 16 bytes of an IP address in text. Throws `bad_parameter`. */
export function encodeIpAddress(text: string): Buffer {
  const version = text.includes("%") ? 0 : isIP(text);
  if (version === 0) throw new GatehouseError("bad_parameter", `${JSON.stringify(text)} is not an IP address`);
  if (version === 4) return Buffer.from(text.split(".").map(Number));
  const dotted = /\d+\.\d+\.\d+\.\d+$/.exec(text)?.[0];
  const tail = dotted === undefined ? undefined : encodeIpAddress(dotted).toString("hex");
  const plain = tail === undefined ? text : `${text.slice(0, -(dotted ?? "").length)}${tail.slice(0, 4)}:${tail.slice(4)}`;
  const [head = "", rest] = plain.split("::").map((half) => half.split(":").filter(Boolean).map((group) => group.padStart(4, "0")).join(""));
  return Buffer.from(rest === undefined ? head : head.padEnd(32 - rest.length, "0") + rest, "hex");
}

/** Text of 4 or 16 bytes; undefined for another length. */
export function decodeIpAddress(bytes: Buffer): string | undefined {
  if (bytes.length === 4) return [...bytes].join(".");
  if (bytes.length !== 16) return undefined;
  const groups = (bytes.toString("hex").match(/.{4}/g) ?? []).join(":");
  return new SocketAddress({ address: groups, family: "ipv6" }).address;
}
