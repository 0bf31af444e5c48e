import { createHash } from "node:crypto";
import { rm } from "node:fs/promises";
import { GatehouseError } from "../base/index.ts";
import { AgentLocked } from "./local-agent/index.ts";
import { currentProfileName, keystoresOf, openLogins, type ClientHome, type Environment, type LoginRecord } from "./lean/index.ts";
import { listProfiles, readProfile, writeProfile, type Profile } from "./profiles.ts";
import { readLogin } from "./stored-login.ts";

/** A profile and the name that it is kept under. */
export interface NamedProfile {
  readonly name: string;
  readonly profile: Profile;
}

/** What parts a gateway's profile name from the user whose login is kept beside the one in use; in no address. */
const separator = "+";

/**
 * Name of the profile and key of a user whose login at this gateway is kept but not in use: `gw.example.com+bob`. A user name that is no plain
 * file name is hashed. The login in use has the gateway's own profile name, as ever.
 */
export function keptName(gateway: string, user: string): string {
  const plain = /^[a-z0-9][a-z0-9._-]{0,63}$/.test(user) && !user.endsWith(".");
  return `${gateway}${separator}${plain ? user : `~${createHash("sha256").update(user).digest("hex").slice(0, 32)}`}`;
}

/** Whether a profile of this name is kept for a switch of user, rather than a gateway's login in use. */
export const isKept = (name: string): boolean => name.includes(separator);

/** The profile name of the gateway that a profile belongs to. */
export const gatewayOf = (name: string): string => name.split(separator, 1)[0] ?? name;

/** The login of a profile, or undefined where there is none that can be read: a damaged one is as good as none. One behind a locked agent is not. */
export async function readableLogin(home: ClientHome, env: Environment, { name, profile }: NamedProfile): Promise<LoginRecord | undefined> {
  return readLogin(home, env, name, profile).catch((error: unknown) => {
    if (error instanceof GatehouseError && error.code === "unauthenticated" && !(error instanceof AgentLocked)) return undefined;
    throw error;
  });
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** Every profile: the current gateway's first, of each gateway the login in use before those that are kept. */
export async function orderedProfiles(home: ClientHome): Promise<readonly (NamedProfile & { readonly current: boolean })[]> {
  const current = await currentProfileName(home);
  const all = await listProfiles(home);
  const rank = ({ name }: NamedProfile): number => (name === current ? 0 : gatewayOf(name) === current ? 1 : 2);
  const order = (a: NamedProfile, b: NamedProfile): number => rank(a) - rank(b) || compare(gatewayOf(a.name), gatewayOf(b.name)) || compare(a.name, b.name);
  return all.map((each) => ({ ...each, current: each.name === current })).sort(order);
}

/** Every profile of one gateway, the login in use first. */
export async function profilesOf(home: ClientHome, gateway: string): Promise<readonly NamedProfile[]> {
  return (await listProfiles(home)).filter(({ name }) => gatewayOf(name) === gateway).sort((a, b) => compare(a.name, b.name));
}

/** Removes a kept login, key and profile. True where there was a key. Call it inside `changeHome`. */
export async function removeKept(home: ClientHome, env: Environment, name: string): Promise<boolean> {
  const profile = await readProfile(home, name);
  if (!profile) return false;
  let removed = false;
  for (const kind of keystoresOf(profile.keystore)) removed = (await openLogins(home, kind, env).remove(name)) || removed;
  await rm(home.profile(name), { force: true });
  return removed;
}

/**
 * Keeps the login in use at a gateway before another user's takes its place, and removes kept ones that have ended. Call it inside `changeHome`.
 */
export async function keepLogin(home: ClientHome, env: Environment, gateway: string, next: { readonly username: string }, now: number): Promise<void> {
  for (const { name, profile } of await listProfiles(home)) {
    if (isKept(name) && gatewayOf(name) === gateway && !(Date.parse(profile.valid_until ?? "") > now)) await removeKept(home, env, name);
  }
  const profile = await readProfile(home, gateway);
  if (profile?.keystore === undefined || profile.user === undefined || profile.user === next.username) return;
  const record = await readableLogin(home, env, { name: gateway, profile });
  if (!record || record.expires <= now) return;
  const name = keptName(gateway, profile.user);
  await openLogins(home, profile.keystore, env).write(name, record);
  await writeProfile(home, name, profile);
}
