import { GatehouseError, uuid, type Random } from "../../base/index.ts";
import type { SecondFactor } from "../../resources/index.ts";
import { maxDevices } from "./record.ts";
import { newRecoverySet } from "./recovery.ts";
import { totpCode, totpSkew, totpStep } from "./totp.ts";
import type { Device, Factors, RelyingParty } from "./types.ts";
import { verifyRegistration } from "./webauthn.ts";

/** Kinds of devices that count under a policy. */
export function acceptedKinds(policy: SecondFactor, party: RelyingParty | undefined): { readonly totp: boolean; readonly webauthn: boolean } {
  return { totp: policy !== "webauthn", webauthn: policy !== "otp" && party !== undefined };
}

/** Whether these factors are enough to log in with. */
export function suffices(policy: SecondFactor, { devices }: Factors): boolean {
  if (policy === "off" || policy === "optional") return true;
  return devices.some(({ type }) => policy === "on" || (policy === "otp" ? type === "totp" : type === "webauthn"));
}

/** What somebody registers: an app by a code that it shows, a key by its answer, or both. */
export interface Registration {
  /** Empty for none. */
  readonly code: string;
  /** `RegistrationResponseJSON`, not yet read; undefined for none. */
  readonly credential: unknown;
  /** What they call the device. */
  readonly name: string;
}

/** What a registration is checked against. */
export interface RegistrationTools {
  readonly party: RelyingParty | undefined;
  /** Secret that was shown, base32. */
  readonly totp: string | undefined;
  readonly challenge: string;
  readonly random: Random;
  readonly now: number;
}

const maxName = 60;

/** A name that no other device of theirs has. Throws `bad_parameter`. */
function freeName(given: string, otherwise: string, taken: readonly Device[]): string {
  const name = given.trim() === "" ? otherwise : given.trim();
  if (Array.from(name).length > maxName || /[\p{Cc}\p{Cf}]/u.test(name)) throw new GatehouseError("bad_parameter", `A device's name has at most ${String(maxName)} characters, and none that cannot be seen.`);
  const names = new Set(taken.map((device) => device.name));
  for (let count = 1; ; count++) {
    const candidate = count === 1 ? name : `${name} ${String(count)}`;
    if (!names.has(candidate)) return candidate;
  }
}

function registerTotp(code: string, name: string, taken: readonly Device[], { totp, now }: RegistrationTools): Device {
  const digits = code.replace(/\s/g, "");
  const current = totpStep(now);
  const steps = Array.from({ length: 2 * totpSkew + 1 }, (_, index) => current - totpSkew + index);
  const step = totp === undefined ? undefined : steps.find((candidate) => totpCode(totp, candidate) === digits);
  if (totp === undefined || step === undefined) throw new GatehouseError("bad_parameter", "That is not the code that your app shows now. Is the clock of your phone right?");
  return { type: "totp", id: uuid(), name: freeName(name, "authenticator app", taken), created: now, secret: totp, lastStep: step };
}

/**
 * The devices added, and recovery codes to be shown once for whoever has none yet. Throws `bad_parameter`, in words for a page, for a code or an
 * answer that does not hold.
 */
export async function register(factors: Factors, given: Registration, tools: RegistrationTools): Promise<{ readonly factors: Factors; readonly added: readonly Device[]; readonly recoveryCodes: readonly string[] | undefined }> {
  const { party, random, now } = tools;
  const added: Device[] = [];
  const all = (): Device[] => [...factors.devices, ...added];
  if (given.credential !== undefined) {
    if (!party) throw new GatehouseError("bad_parameter", "This gateway is reached by an address, and security keys need a host name.");
    const credential = await verifyRegistration(party, given.credential, tools.challenge);
    if (all().some((device) => device.type === "webauthn" && device.credentialId === credential.credentialId)) throw new GatehouseError("bad_parameter", "This key is registered already.");
    added.push({ type: "webauthn", id: uuid(), name: freeName(given.name, "security key", all()), created: now, ...credential });
  }
  if (given.code.trim() !== "") added.push(registerTotp(given.code, given.name, all(), tools));
  if (all().length > maxDevices) throw new GatehouseError("bad_parameter", `Nobody has more than ${String(maxDevices)} second factors: remove one first.`);
  if (added.length === 0 || factors.recovery) return { factors: { ...factors, devices: all() }, added, recoveryCodes: undefined };
  const { codes, set } = newRecoverySet(random, now);
  return { factors: { devices: all(), recovery: set }, added, recoveryCodes: codes };
}
