import type { MfaResponse } from "../api/index.ts";
import { escapeLine } from "../base/index.ts";
import { describeTime, formatTable } from "./terminal/index.ts";

const types = { totp: "authenticator app", webauthn: "security key" } as const;

/** Second factors as a table, and how many recovery codes are left. */
export function mfaTable({ devices, recovery_codes: codes }: MfaResponse, now: number): string {
  const left = `recovery codes left: ${String(codes.left)}\n`;
  if (devices.length === 0) return `no second factor\n${codes.left === 0 ? "" : left}`;
  const rows = devices.map(({ name, type, created, last_used: used }) => [escapeLine(name), types[type], describeTime(created, now), used === undefined ? "never" : describeTime(used, now)]);
  return `${formatTable(["NAME", "KIND", "ADDED", "LAST USED"], rows)}${left}`;
}

/** The same for programs, with times as text. */
export function mfaData({ devices, recovery_codes: codes }: MfaResponse): Record<string, unknown> {
  const time = (ms: number | undefined): string | undefined => (ms === undefined ? undefined : new Date(ms).toISOString());
  return {
    devices: devices.map(({ name, type, created, last_used: used }) => ({ name, type, created: time(created), last_used: time(used) })),
    recovery_codes: { left: codes.left, created: time(codes.created) },
  };
}
