import { GatehouseError } from "../../base/index.ts";

/**
 * One login: the key and what was signed over it, kept as one secret so that two logins can never mix.
 * Times in ms since the epoch.
 */
export interface LoginRecord {
  readonly version: 1;
  /** `host:port` of the gateway's web listener. */
  readonly proxy: string;
  readonly cluster: string;
  readonly username: string;
  /** PKCS #8, PEM. */
  readonly privateKey: string;
  /** OpenSSH certificate, one line. */
  readonly sshCertificate: string;
  /** X.509 certificate, PEM. */
  readonly tlsCertificate: string;
  /** `authorized_keys` lines of the cluster's host authority. */
  readonly hostKeys: readonly string[];
  /** Certificates of the cluster's host authority, PEM. */
  readonly hostCertificates: readonly string[];
  readonly issued: number;
  readonly expires: number;
  /** Until when the gateway renews it at most; absent where it does not. */
  readonly renewableUntil?: number | undefined;
}

/** A certificate with less than this left is as good as expired, ms. */
const leastLeft = 30_000;

/** Whether there is a login, and enough of it left to start anything with. */
export const isUsable = <T extends Pick<LoginRecord, "expires">>(record: T | undefined, now: number): record is T => record !== undefined && record.expires - now >= leastLeft;

/** Bytes of a record's text. */
export const maxRecord = 256 * 1024;

const texts = ["proxy", "cluster", "username", "privateKey", "sshCertificate", "tlsCertificate"] as const;
const lists = ["hostKeys", "hostCertificates"] as const;
const times = ["issued", "expires"] as const;

const isRecord = (value: Readonly<Record<string, unknown>>): boolean =>
  value["version"] === 1 &&
  texts.every((key) => typeof value[key] === "string") &&
  lists.every((key) => Array.isArray(value[key]) && value[key].every((item) => typeof item === "string")) &&
  times.every((key) => Number.isSafeInteger(value[key])) &&
  (value["renewableUntil"] === undefined || Number.isSafeInteger(value["renewableUntil"]));

/** The record as it is kept: ASCII, so that a keychain may split it anywhere. */
export function formatRecord(record: LoginRecord): string {
  return JSON.stringify(record).replace(/[\u0080-\uffff]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

/** Reads a kept record back. Checked by hand: the path that kubectl waits for loads no schema library. Throws `unauthenticated`, never quoting it. */
export function parseRecord(text: string): LoginRecord {
  const damaged = (): GatehouseError => new GatehouseError("unauthenticated", "the stored login is damaged", { hint: "log in again: tsh login" });
  if (text.length > maxRecord) throw damaged();
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // Its SyntaxError would quote the key.
    throw damaged();
  }
  if (typeof value !== "object" || value === null || !isRecord(value as Record<string, unknown>)) throw damaged();
  return value as LoginRecord;
}
