import type { Random } from "../base/index.ts";

/** A random 64-bit serial for an SSH certificate. */
export function sshSerial(random: Random): bigint {
  return Buffer.from(random(8)).readBigUInt64BE();
}

/** A random positive serial below 2^127 for an X.509 certificate. */
export function tlsSerial(random: Random): bigint {
  const bits = BigInt(`0x${Buffer.from(random(16)).toString("hex")}`) >> 1n;
  return bits === 0n ? 1n : bits;
}
