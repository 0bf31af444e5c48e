import { GatehouseError, errorMessage } from "../base/index.ts";
import { forgetNames } from "./completion/index.ts";
import { connectAdmin } from "./gateway.ts";
import { gatewayOf, isKept, readableLogin, removeKept } from "./kept-logins.ts";
import { removeKubeEntries } from "./kubeconfig/index.ts";
import { keystoresOf, openLogins, type ClientHome, type Environment, type LoginRecord } from "./lean/index.ts";
import { changeHome, readProfile, writeProfile, type Profile } from "./profiles.ts";

/** What a logout did. */
export interface LogoutResult {
  /** False where there was no login to end. */
  readonly wasLoggedIn: boolean;
  /** Contexts that are gone from kubeconfig. */
  readonly contexts: readonly string[];
  /** Why the gateway could not be told, where it could not. */
  readonly unreached: string | undefined;
}

/** What stays of a profile after logout: where the gateway is and how to log in there. */
function withoutLogin(profile: Profile): Profile {
  const ofLogin = new Set(["valid_until", "roles", "logins", "kube_clusters", "embedded_in", "keystore"]);
  return { ...profile, ...Object.fromEntries([...ofLogin].map((key) => [key, undefined])) };
}

/** Tells the gateway that a login is over; why it could not be told, where it could not. */
async function tellGateway(record: LoginRecord | undefined, now: number): Promise<string | undefined> {
  if (!record || record.expires <= now) return undefined;
  try {
    await connectAdmin(record).logout();
  } catch (error) {
    if (!(error instanceof GatehouseError && error.code === "unauthenticated")) return errorMessage(error);
  }
  return undefined;
}

/**
 * Ends a login: the gateway refuses its certificates from now on, and what login added here is removed, the profile's addresses excepted. Where
 * the gateway cannot be told, the key is removed all the same, and the result says so. What takes the login's place meanwhile, renewed or made anew, is ended like it.
 */
export async function logout(home: ClientHome, env: Environment, name: string, profile: Profile, now: number): Promise<LogoutResult> {
  // A damaged login is removed like any other; a keychain that cannot be read cannot be emptied either.
  const record = await readableLogin(home, env, { name, profile });
  const unreached = await tellGateway(record, now);
  const done = await changeHome(home, async () => {
    const current = await readProfile(home, name);
    const present = current && (await readableLogin(home, env, { name, profile: current }));
    if (present && present.tlsCertificate !== record?.tlsCertificate) return { next: current };
    await forgetNames(home, gatewayOf(name));
    if (isKept(name)) return { wasLoggedIn: await removeKept(home, env, name), contexts: [] };
    let wasLoggedIn = false;
    for (const kind of keystoresOf((current ?? profile).keystore)) wasLoggedIn = (await openLogins(home, kind, env).remove(name)) || wasLoggedIn;
    const contexts = await removeKubeEntries(env, (current ?? profile).web_proxy_addr);
    if (current) await writeProfile(home, name, withoutLogin(current));
    return { wasLoggedIn, contexts };
  });
  return done.next ? logout(home, env, name, done.next, now) : { ...done, unreached };
}
