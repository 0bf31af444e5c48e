import { BlockList, isIP } from "node:net";

const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i;

interface Range {
  readonly network: string;
  readonly length: number;
  readonly family: "ipv4" | "ipv6";
}

/** The address without IPv6's way to write an IPv4 one; anything else as it is. */
export function plainAddress(address: string): string {
  return mapped.exec(address)?.[1] ?? address;
}

const familyOf = (address: string): "ipv4" | "ipv6" => (isIP(address) === 4 ? "ipv4" : "ipv6");

function blockOf(ranges: readonly Range[]): BlockList {
  const block = new BlockList();
  for (const { network, length, family } of ranges) block.addSubnet(network, length, family);
  return block;
}

function readRange(text: string): Range | undefined {
  const [network = "", length, ...rest] = text.split("/");
  const version = isIP(network);
  const full = version === 4 ? 32 : 128;
  if (version === 0 || rest.length > 0 || network.includes("%") || (length !== undefined && !(/^\d{1,3}$/.test(length) && Number(length) <= full))) return undefined;
  return { network, length: Number(length ?? full), family: version === 4 ? "ipv4" : "ipv6" };
}

/** Bits of an address, most significant first, as text of 0 and 1. */
function bitsOf({ network, family }: Range): string {
  if (family === "ipv4") return network.split(".").map((byte) => Number(byte).toString(2).padStart(8, "0")).join("");
  // The WHATWG parser writes every IPv6 address in one way: no dotted end, at most one "::".
  const [head = "", tail] = new URL(`http://[${network}]`).hostname.slice(1, -1).split("::");
  const words = (text: string | undefined): string[] => (text === undefined || text === "" ? [] : text.split(":"));
  const [front, back] = [words(head), words(tail)];
  return [...front, ...Array<string>(8 - front.length - back.length).fill("0"), ...back].map((word) => parseInt(word, 16).toString(2).padStart(16, "0")).join("");
}

/**
 * What is wrong with a range of addresses (`10.0.0.0/8`, `2001:db8::/32`, or one address), as the end of a sentence; undefined where it is one that OpenSSH
 * takes for `source-address` too, which wants no bits set behind the network's.
 */
export function rangeProblem(text: string): string | undefined {
  const range = readRange(text);
  if (range === undefined) return "is no range of addresses such as 10.0.0.0/8 or 2001:db8::/32";
  return bitsOf(range).slice(range.length).includes("1") ? `has bits set behind its first ${String(range.length)}` : undefined;
}

/** Whether an address is in one of the ranges; false for an address that is none, and for every address where a range is none. */
export function addressInRanges(ranges: readonly string[], address: string | undefined): boolean {
  const plain = address === undefined ? "" : plainAddress(address);
  const read = ranges.map(readRange);
  if (isIP(plain) === 0 || read.includes(undefined)) return false;
  return blockOf(read.filter((range) => range !== undefined)).check(plain, familyOf(plain));
}

/** The ranges of addresses that are in both lists; none where nothing is. Ranges are nested or have nothing in common. */
export function commonRanges(a: readonly string[], b: readonly string[]): readonly string[] {
  const inside = (inner: string, outers: readonly string[]): boolean => {
    const range = readRange(inner);
    return range !== undefined && outers.some((text) => {
      const outer = readRange(text);
      return outer !== undefined && outer.family === range.family && outer.length <= range.length && blockOf([outer]).check(range.network, range.family);
    });
  };
  return [...new Set([...a.filter((range) => inside(range, b)), ...b.filter((range) => inside(range, a))])];
}
