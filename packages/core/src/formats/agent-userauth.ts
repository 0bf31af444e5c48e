import { GatehouseError } from "../base/index.ts";
import { SshReader } from "./ssh-wire.ts";

const userauthRequest = 50;

/** What a client signs to log in with a key (RFC 4252 §7, OpenSSH's PROTOCOL §3.1). */
export interface SignedUserauth {
  readonly sessionId: Buffer;
  readonly user: string;
  /** In wire form: the host's, where the method binds the signature to it. */
  readonly hostKey: Buffer | undefined;
}

/** The type that a key of this signature algorithm has in wire form. */
const keyType = (algorithm: string): string => algorithm.replace(/^rsa-sha2-(?:256|512)/, "ssh-rsa");

/** Reads what is to be signed with the key `blob`; undefined for anything else than a login with that key. */
export function parseSignedUserauth(data: Uint8Array, blob: Buffer): SignedUserauth | undefined {
  const reader = new SshReader(data, "what is to be signed");
  try {
    const sessionId = reader.string();
    const number = reader.byte();
    const user = reader.text();
    const [service, method] = [reader.text(), reader.text()];
    const hasSignature = reader.byte();
    const algorithm = reader.text();
    const key = reader.string();
    if (sessionId.length === 0 || number !== userauthRequest || service !== "ssh-connection" || hasSignature !== 1) return undefined;
    if (!key.equals(blob) || keyType(algorithm) !== new SshReader(blob, "the key").text()) return undefined;
    const isBound = method === "publickey-hostbound-v00@openssh.com";
    if (!isBound && method !== "publickey") return undefined;
    const hostKey = isBound ? reader.string() : undefined;
    reader.end();
    return { sessionId, user, hostKey };
  } catch (error) {
    if (error instanceof GatehouseError) return undefined;
    throw error;
  }
}
