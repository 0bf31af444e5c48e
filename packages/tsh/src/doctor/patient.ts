import { GatehouseError } from "@gatehouse/core/base";
import { chosenProxy, parseProxyAddress, profileName, readLogin, readProfile, type ClientHome, type Environment, type LoginRecord, type Profile, type ProxyAddress } from "@gatehouse/core/client";

/** Who and what is looked at. */
export interface Patient {
  readonly env: Environment;
  readonly home: ClientHome;
  /** ms since the epoch. */
  readonly now: number;
  /** The gateway that is meant; undefined where none is. */
  readonly address: ProxyAddress | undefined;
  readonly name: string | undefined;
  readonly profile: Profile | undefined;
  /** Why the profile cannot be read. */
  readonly damage: unknown;
  /** The login as its keystore has it, read once. Rejects where the keystore cannot be read. */
  readonly login: () => Promise<LoginRecord | undefined>;
  /** `tsh login …` for this gateway. */
  readonly loginCommand: string;
}

/** Finds out who is meant. Throws `usage` for an address that is none. */
export async function meet(options: { readonly env: Environment; readonly home: ClientHome; readonly proxy: string | undefined; readonly now: number }): Promise<Patient> {
  const { env, home, proxy, now } = options;
  let damage: unknown;
  const orDamage = async <T>(work: Promise<T>): Promise<T | undefined> => {
    try {
      return await work;
    } catch (error) {
      if (error instanceof GatehouseError && error.code === "usage") throw error;
      damage = error;
      return undefined;
    }
  };
  const asked = await orDamage(chosenProxy(home, env, proxy));
  const address = asked === undefined ? undefined : parseProxyAddress(asked);
  const name = address && profileName(address);
  const profile = name === undefined ? undefined : await orDamage(readProfile(home, name));
  const gateway = address?.text.replace(/:3080$/, "") ?? "<gateway>";
  let read: Promise<LoginRecord | undefined> | undefined;
  return {
    env,
    home,
    now,
    address,
    name,
    profile,
    damage,
    login: () => (read ??= name === undefined || profile === undefined ? Promise.resolve(undefined) : readLogin(home, env, name, profile)),
    loginCommand: `tsh login --proxy=${gateway}${profile?.auth_type === undefined ? "" : ` --auth=${profile.auth_type}`}`,
  };
}
