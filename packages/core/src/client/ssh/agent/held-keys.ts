import type { KeyObject } from "node:crypto";
import { parseSshCertificate, sshSign, type AgentIdentity } from "../../../formats/ssh/index.ts";

/** Keys that an agent has itself, rather than another agent behind it. */
export interface HeldKeys {
  /** What is listed, in order. */
  list(): readonly AgentIdentity[];
  /** Whether a key or certificate (wire form) is one of these, listed or not. */
  has(blob: Buffer): boolean;
  /** Signature blob; undefined where the key is none of these. */
  sign(blob: Buffer, data: Buffer): Buffer | undefined;
}

/** No key at all: all there is comes from the agent behind. */
export const noKeys: HeldKeys = { list: () => [], has: () => false, sign: () => undefined };

/**
 * One key in memory, listed by its certificate alone: hosts trust nothing else, and each key that is offered in vain costs one of the few tries that
 * sshd allows. `certificate` is its line. Throws `bad_parameter` for a line that is no certificate.
 */
export function holdKey(key: { readonly privateKey: KeyObject; readonly certificate: string; readonly comment: string }): HeldKeys {
  const { blob, publicKey } = parseSshCertificate(key.certificate);
  const has = (asked: Buffer): boolean => asked.equals(blob) || asked.equals(publicKey);
  return {
    list: () => [{ blob, comment: key.comment }],
    has,
    sign: (asked, data) => (has(asked) ? sshSign(key.privateKey, data) : undefined),
  };
}
