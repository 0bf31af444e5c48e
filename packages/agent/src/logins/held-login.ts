import { createPrivateKey } from "node:crypto";
import { GatehouseError } from "@gatehouse/core/base";
import { formatRecord, parseProxyAddress, parseRecord, type KeystoreKind, type LoginRecord } from "@gatehouse/core/client/lean";
import { holdKey, type HeldKeys } from "@gatehouse/core/client/ssh";

/** One login in the agent's memory. Its text is kept as bytes, which can be overwritten, and its key as a key that cannot be exported by accident. */
export interface HeldLogin {
  readonly profile: string;
  readonly keystore: KeystoreKind;
  readonly proxy: string;
  readonly username: string;
  readonly cluster: string;
  /** ms since the epoch, as are all times here. */
  readonly issued: number;
  readonly expires: number;
  /** Until when the gateway renews it; undefined where it does not. */
  readonly renewableUntil: number | undefined;
  /** Its SSH certificate. */
  readonly keys: HeldKeys;
  /** The text of its `LoginRecord`. Throws `unauthenticated` once it was wiped. */
  text(): string;
  record(): LoginRecord;
  /** Overwrites the text. What V8 made of it meanwhile is left to the collector. */
  wipe(): void;
}

/** Holds a login. Throws `unauthenticated` where key or certificate cannot be read. */
export function holdLogin(profile: string, keystore: KeystoreKind, record: LoginRecord): HeldLogin {
  const { proxy, username, cluster, issued, expires, renewableUntil } = record;
  const bytes = Buffer.from(formatRecord(record), "latin1");
  let wiped = false;
  const text = (): string => {
    if (wiped) throw new GatehouseError("unauthenticated", `not logged in to ${proxy}`, { hint: `log in: tsh login --proxy=${proxy}` });
    return bytes.toString("latin1");
  };
  try {
    const keys = holdKey({ privateKey: createPrivateKey(record.privateKey), certificate: record.sshCertificate, comment: `gatehouse ${username}@${parseProxyAddress(proxy).host}` });
    return {
      profile,
      keystore,
      proxy,
      username,
      cluster,
      issued,
      expires,
      renewableUntil,
      keys,
      text,
      record: () => parseRecord(text()),
      wipe() {
        wiped = true;
        bytes.fill(0);
      },
    };
  } catch (error) {
    bytes.fill(0);
    // Node's and the parser's errors would tell of the key.
    if (!(error instanceof Error)) throw error;
    throw new GatehouseError("unauthenticated", "the stored login is damaged", { hint: "log in again: tsh login" });
  }
}
