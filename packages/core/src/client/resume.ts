import { GatehouseError, toGatehouseError, type Clock } from "../base/index.ts";
import { connectAdmin } from "./gateway.ts";
import { gatewayOf, isKept, profilesOf, readableLogin, type NamedProfile } from "./kept-logins.ts";
import { readAccount, type Account } from "./kube-access.ts";
import { clientHome, currentProfileName, isUsable, parseProxyAddress, profileName, type Environment, type KeystoreKind, type LoginRecord } from "./lean/index.ts";
import type { LoginResult } from "./login.ts";
import { readProfile } from "./profiles.ts";
import { storeLogin, writeKubeEntries } from "./store-login.ts";

/** Which stored login would do. */
export interface ResumeOptions {
  /** `host[:port]`. */
  readonly proxy: string;
  /** Connector name or `local`; any where absent. */
  readonly auth: string | undefined;
  /** Any where absent. */
  readonly user: string | undefined;
  /** `sha256:…`: a login made with another pin does not do. */
  readonly caPin: string | undefined;
  /** Where the key shall be kept from now on; where it is, where absent. */
  readonly keystore: KeystoreKind | undefined;
  readonly embed: boolean;
}

/** What resuming works with. */
export interface ResumeTools {
  readonly env: Environment;
  readonly clock: Clock;
  readonly program: { readonly node: string; readonly script: string };
  readonly notice: (text: string) => void;
}

/** A login that goes on. */
export interface ResumedLogin extends LoginResult {
  /** True where another gateway or user was in use before. */
  readonly switched: boolean;
}

/**
 * The login that is wanted among those of one gateway: the one in use where it fits, else the one kept that does. Undefined for none, and where
 * several kept ones fit.
 */
export function chooseLogin(profiles: readonly NamedProfile[], wanted: Pick<ResumeOptions, "auth" | "user">): NamedProfile | undefined {
  const fits = ({ profile }: NamedProfile): boolean =>
    profile.keystore !== undefined && (wanted.user === undefined || profile.user === wanted.user) && (wanted.auth === undefined || profile.auth_type === wanted.auth);
  const inUse = profiles.find(({ name }) => !isKept(name));
  if (inUse && fits(inUse)) return inUse;
  // Without a wish nobody is switched to another user.
  if (wanted.user === undefined && wanted.auth === undefined) return undefined;
  const kept = profiles.filter((each) => isKept(each.name) && fits(each));
  return kept.length === 1 ? kept[0] : undefined;
}

async function accountOf(record: LoginRecord): Promise<Account | undefined> {
  try {
    return await readAccount(connectAdmin(record), record, undefined);
  } catch (error) {
    // Whatever it is, a new login will be told it too, by whom it trusts then: an ended session, a lock, another gateway, nobody there.
    if (error instanceof GatehouseError) return undefined;
    throw error;
  }
}

/**
 * Goes on with a stored login where there is one that fits, has not ended, and is one in the eyes of the gateway, which is asked: makes its gateway and
 * user the ones in use, and renews profile and kubeconfig. One that another has taken the place of meanwhile is looked at anew. Undefined where a new login is needed.
 */
export async function resumeLogin(options: ResumeOptions, tools: ResumeTools): Promise<ResumedLogin | undefined> {
  const { env, clock, program, notice } = tools;
  const home = clientHome(env);
  const name = profileName(parseProxyAddress(options.proxy));
  const chosen = chooseLogin(await profilesOf(home, name), options);
  if (!chosen || (options.caPin !== undefined && chosen.profile.ca_pin !== options.caPin)) return undefined;
  const record = await readableLogin(home, env, chosen);
  if (!isUsable(record, clock.now())) return undefined;
  const account = await accountOf(record);
  if (!account) return undefined;
  const switched = isKept(chosen.name) || (await currentProfileName(home)) !== gatewayOf(chosen.name);
  const keystore = options.keystore ?? chosen.profile.keystore ?? "file";
  const authType = chosen.profile.auth_type ?? "unknown";
  // One that was renewed meanwhile must not be stored over: the gateway ends the session of whoever comes with the one before.
  const still = async (): Promise<boolean> => {
    const profile = await readProfile(home, chosen.name);
    return profile !== undefined && (await readableLogin(home, env, { name: chosen.name, profile }))?.tlsCertificate === record.tlsCertificate;
  };
  if (!(await storeLogin({ home, name, env, record, account, authType, keystore, trust: undefined, program, now: clock.now(), notice, still }))) return resumeLogin(options, tools);
  const result = { record, account, authType, keystore, switched };
  try {
    return { ...result, kube: await writeKubeEntries({ home, env, record, account, embed: options.embed }), kubeProblem: undefined };
  } catch (error) {
    return { ...result, kube: undefined, kubeProblem: toGatehouseError(error) };
  }
}
