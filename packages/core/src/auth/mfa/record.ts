import { z } from "zod";
import type { Operation, Store, StoredItem } from "../../store/index.ts";
import { kinds, readRecord } from "../records.ts";
import type { Device, Factors, FactorsView } from "./types.ts";

/** Devices that one user may have. */
export const maxDevices = 10;

const base = { id: z.string(), name: z.string(), created: z.number(), lastUsed: z.number().optional() };
const deviceRecord = z.discriminatedUnion("type", [
  z.object({ ...base, type: z.literal("totp"), lastStep: z.number() }),
  z.object({ ...base, type: z.literal("webauthn"), credentialId: z.string(), publicKey: z.string(), counter: z.number(), transports: z.array(z.string()) }),
]);
const record = z.object({ devices: z.array(deviceRecord).max(maxDevices), recovery: z.object({ created: z.number() }).optional() });
const secrets = z.object({
  /** By the id of the device. */
  totp: z.record(z.string(), z.string()),
  recovery: z.object({ key: z.string(), digests: z.array(z.string()) }).optional(),
});

/** Second factors of a user and what they are stored as. */
export interface StoredFactors {
  readonly factors: Factors;
  /** Undefined where the user has none yet. */
  readonly revision: number | undefined;
}

const none: Factors = { devices: [] };

/** Reads the record of a user's factors. Throws `internal` for one that this version cannot read. */
export function readFactors(item: StoredItem | undefined): StoredFactors {
  if (!item) return { factors: none, revision: undefined };
  const plain = readRecord(record, item);
  const secret = readRecord(secrets, item, item.secret ?? "");
  const devices = plain.devices.map((device): Device => (device.type === "totp" ? { ...device, secret: secret.totp[device.id] ?? "" } : device));
  const recovery = plain.recovery && secret.recovery && { created: plain.recovery.created, ...secret.recovery };
  return { factors: { devices, recovery }, revision: item.revision };
}

/** The factors of a user. */
export async function loadFactors(store: Store, user: string): Promise<StoredFactors> {
  return readFactors(await store.get(kinds.mfa, user));
}

/** Writes the factors over what was read; one record for all of a user's, so that none of two changes at once is lost. */
export function factorsOperation(user: string, factors: Factors, revision: number | undefined): Operation {
  const totp = Object.fromEntries(factors.devices.flatMap((device) => (device.type === "totp" ? [[device.id, device.secret]] : [])));
  const { recovery } = factors;
  const plain: z.infer<typeof record> = {
    devices: factors.devices.map((device) => {
      const { id, name, created, lastUsed } = device;
      const base = { id, name, created, ...(lastUsed === undefined ? {} : { lastUsed }) };
      if (device.type === "totp") return { ...base, type: "totp", lastStep: device.lastStep };
      const { credentialId, publicKey, counter, transports } = device;
      return { ...base, type: "webauthn", credentialId, publicKey, counter, transports: [...transports] };
    }),
    ...(recovery ? { recovery: { created: recovery.created } } : {}),
  };
  const secret: z.infer<typeof secrets> = { totp, ...(recovery ? { recovery: { key: recovery.key, digests: [...recovery.digests] } } : {}) };
  return { op: "put", kind: kinds.mfa, name: user, value: JSON.stringify(plain), secret: JSON.stringify(secret), expect: revision ?? "absent" };
}

/** What may be shown of factors. */
export function viewOf({ devices, recovery }: Factors): FactorsView {
  return { devices: devices.map(({ name, type, created, lastUsed }) => ({ name, type, created, lastUsed })), recoveryCodes: recovery?.digests.length ?? 0, recoveryCreated: recovery?.created };
}
