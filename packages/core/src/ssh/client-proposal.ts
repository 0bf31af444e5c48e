import { SshReader } from "../formats/index.ts";
import { isGcm } from "./algorithms.ts";
import { message } from "./message.ts";

const maxIdent = 255;
const maxProposal = 35_000;

/** What can be told of a client from its first bytes: nothing yet, whether it takes AES-GCM both ways, or that it is not to be told. */
export type Proposal = "more" | { readonly gcm: boolean } | undefined;

/**
 * Looks into OpenSSH's first bytes, identification and KEXINIT (RFC 4253 §7.1), which it sends without waiting for the server's. Other clients, who may
 * wait, and what is no SSH are not looked into. The bytes are still to be parsed by whoever believes them.
 */
export function readProposal(bytes: Buffer): Proposal {
  const start = "SSH-2.0-OpenSSH_";
  if (!start.startsWith(bytes.toString("latin1", 0, start.length))) return undefined;
  const line = bytes.indexOf("\n");
  if (line < 0) return bytes.length <= maxIdent ? "more" : undefined;
  const packet = bytes.subarray(line + 1);
  if (packet.length < 6) return "more";
  const length = packet.readUInt32BE();
  if (length > maxProposal || packet[5] !== message.kexInit) return undefined;
  if (packet.length < 4 + length) return "more";
  try {
    const reader = new SshReader(packet.subarray(6, 4 + length), "the SSH key exchange");
    reader.bytes(16);
    for (const skipped of ["kex", "host keys"]) if (reader.text() === "") throw reader.error(`no ${skipped}`);
    return { gcm: [reader.text(), reader.text()].every((names) => names.split(",").some(isGcm)) };
  } catch {
    // The parser will say what is wrong with it.
    return undefined;
  }
}
