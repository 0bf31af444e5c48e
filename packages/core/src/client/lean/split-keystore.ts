import { createHash } from "node:crypto";
import { GatehouseError } from "../../base/index.ts";
import type { Keystore } from "./keystore.ts";

interface Head {
  readonly slot: "a" | "b";
  readonly parts: number;
  readonly sha256: string;
}

const maxParts = 512;
/** A reader that meets a writer between two writes looks again. */
const attempts = 3;
const digest = (text: string): string => createHash("sha256").update(text).digest("hex");

function parseHead(text: string): Head | undefined {
  const match = /^gatehouse-parts ([ab]) (\d{1,3}) ([0-9a-f]{64})$/.exec(text);
  if (!match) return undefined;
  return { slot: match[1] === "a" ? "a" : "b", parts: Number(match[2]), sha256: match[3] ?? "" };
}

/**
 * Spreads each text over entries of at most `maxLength` UTF-16 units (Windows takes 2560 bytes an entry). The parts go to the slot that the
 * head does not name, and the head, with the digest of the whole, is written last: a writer that was killed leaves the old text, and parts
 * that do not belong together are refused.
 */
export function splitKeystore(inner: Keystore, maxLength: number): Keystore {
  const part = (account: string, slot: string, index: number): string => `${account} ${slot}${index}`;

  async function readParts(account: string, head: Head): Promise<string | undefined> {
    if (head.parts > maxParts) return undefined;
    const parts: string[] = [];
    for (let index = 0; index < head.parts; index++) {
      const text = await inner.getPassword(part(account, head.slot, index));
      if (text === undefined) return undefined;
      parts.push(text);
    }
    const whole = parts.join("");
    return digest(whole) === head.sha256 ? whole : undefined;
  }

  async function removeParts(account: string, slot: string): Promise<void> {
    for (let index = 0; index < maxParts; index++) {
      if (!(await inner.deletePassword(part(account, slot, index)))) return;
    }
  }

  return {
    async getPassword(account) {
      for (let attempt = 0; attempt < attempts; attempt++) {
        const text = await inner.getPassword(account);
        if (text === undefined) return undefined;
        const head = parseHead(text);
        if (!head) return text;
        const whole = await readParts(account, head);
        if (whole !== undefined) return whole;
      }
      throw new GatehouseError("unauthenticated", "the login in the keychain is damaged: its parts do not belong together", { hint: "log in again: tsh login" });
    },
    async setPassword(account, text) {
      const before = await inner.getPassword(account);
      const old = before === undefined ? undefined : parseHead(before);
      const slot = old?.slot === "a" ? "b" : "a";
      if (text.length <= maxLength && !text.startsWith("gatehouse-parts ")) {
        await inner.setPassword(account, text);
      } else {
        const parts = Math.ceil(text.length / maxLength);
        if (parts > maxParts) throw new GatehouseError("limit_exceeded", "a login of this size does not fit the keychain");
        for (let index = 0; index < parts; index++) {
          await inner.setPassword(part(account, slot, index), text.slice(index * maxLength, (index + 1) * maxLength));
        }
        await inner.setPassword(account, `gatehouse-parts ${slot} ${parts} ${digest(text)}`);
      }
      if (old) await removeParts(account, old.slot);
    },
    async deletePassword(account) {
      const present = await inner.deletePassword(account);
      await removeParts(account, "a");
      await removeParts(account, "b");
      return present;
    },
  };
}
