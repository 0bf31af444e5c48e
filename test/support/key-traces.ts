import { createPrivateKey } from "node:crypto";
import { readFile, readdir } from "node:fs/promises";
import { join } from "node:path";
import { unlessGone } from "./gone.ts";

/** Texts and bytes by which a private key would show, whatever it is wrapped in. */
export type KeyTraces = readonly Buffer[];

/** Base64 of bytes wherever they begin in what is encoded, without the characters that neighbours have a part in. */
function base64Anywhere(bytes: Buffer): readonly Buffer[] {
  return [0, 1, 2].map((before) => {
    const text = Buffer.concat([Buffer.alloc(before), bytes]).toString("base64").replace(/=+$/, "");
    return Buffer.from(text.slice(before === 0 ? 0 : 4, -4));
  });
}

/** The traces of a private key of an elliptic curve, PKCS #8 in PEM: its lines, its scalar raw, in hex and in base64, and base64 of the whole. */
export function keyTraces(pem: string): KeyTraces {
  const { d } = createPrivateKey(pem).export({ format: "jwk" });
  if (d === undefined) throw new Error("not a key of an elliptic curve");
  const scalar = Buffer.from(d, "base64url");
  const lines = pem.split("\n").filter((line) => /^[A-Za-z0-9+/=]{32,}$/.test(line)).map((line) => Buffer.from(line));
  return [scalar, Buffer.from(scalar.toString("hex")), Buffer.from(scalar.toString("hex").toUpperCase()), Buffer.from(d), ...base64Anywhere(scalar), ...lines, ...lines.flatMap(base64Anywhere)];
}

/** Whether any trace is in these bytes. */
export const showsKey = (bytes: Buffer, traces: KeyTraces): boolean => traces.some((trace) => bytes.includes(trace));

/** Files below a folder that show the key; what goes meanwhile does not. */
export async function filesWithKey(folder: string, traces: KeyTraces): Promise<readonly string[]> {
  const found: string[] = [];
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    const bytes = entry.isFile() ? await readFile(path).catch(unlessGone) : undefined;
    if (bytes !== undefined && showsKey(bytes, traces)) found.push(path);
  }
  return found;
}

/** Calls of `strace -f -v -yy -xx` that start a program with the key in its words or environment, or write it into a file: sockets and pipes are left out. */
export async function callsWithKey(trace: string, traces: KeyTraces): Promise<readonly string[]> {
  const escaped = traces.map((bytes) => [...bytes].map((byte) => `\\x${byte.toString(16).padStart(2, "0")}`).join(""));
  const found: string[] = [];
  for (const line of (await readFile(trace, "latin1")).split("\n")) {
    const [, call, descriptor] = /^\d+\s+(\w+)\((\d+<(?:\\x2f|\/)[^>]*>)?/.exec(line) ?? [];
    const counts = call?.startsWith("exec") === true || descriptor !== undefined;
    if (counts && escaped.some((text) => line.includes(text))) found.push(line.slice(0, 200));
  }
  return found;
}
