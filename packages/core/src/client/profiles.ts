import { lstat, readdir, rename, rm, symlink } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { parse, stringify } from "yaml";
import { GatehouseError, errorMessage, escapeLine, randomHex, systemErrorCode, systemRandom } from "../base/index.ts";
import {
  currentProfileName,
  ensurePrivateDirectory,
  maxProfile,
  parseProxyAddress,
  profileName,
  readFileLimited,
  withLock,
  writeFileAtomic,
  type ClientHome,
  type Environment,
} from "./lean/index.ts";
import { parseProfile, type Profile } from "./profile.ts";

export type { Profile } from "./profile.ts";

/** ms to wait for another command that changes the client's files. */
const lockWait = 15_000;

/** Runs `work` as the one process that changes this home. Throws `internal` where another one stays. */
export async function changeHome<T>(home: ClientHome, work: () => Promise<T>): Promise<T> {
  await ensurePrivateDirectory(home.path);
  const result: { value?: T } = {};
  await withLock(home.lock, { wait: lockWait, purpose: `change ${home.path}` }, async () => {
    result.value = await work();
  });
  return result.value as T;
}

/** The profile of this name, or undefined. Throws `internal` for one that cannot be read. */
export async function readProfile(home: ClientHome, name: string): Promise<Profile | undefined> {
  const path = home.profile(name);
  const source = await readFileLimited(path, { limit: maxProfile });
  if (source === undefined) return undefined;
  try {
    return parseProfile(parse(source, { maxAliasCount: 0 }));
  } catch (error) {
    throw new GatehouseError("internal", `the profile ${path} is damaged: ${escapeLine(errorMessage(error)).slice(0, 300)}`, { hint: "remove it and log in again", cause: error });
  }
}

/** Every profile of this home by name, sorted. */
export async function listProfiles(home: ClientHome): Promise<readonly { readonly name: string; readonly profile: Profile }[]> {
  const names = await readdir(home.path).catch((error: unknown) => {
    if (systemErrorCode(error) === "ENOENT") return [];
    throw error;
  });
  const found: { name: string; profile: Profile }[] = [];
  for (const file of names.sort()) {
    if (!file.endsWith(".yaml") || file.startsWith(".")) continue;
    const name = file.slice(0, -".yaml".length);
    // An alias (reference §6.1) is a symlink to a profile that is listed by its own name.
    if ((await lstat(join(home.path, file))).isSymbolicLink()) continue;
    const profile = await readProfile(home, name);
    if (profile) found.push({ name, profile });
  }
  return found;
}

/** Writes a profile. Call it inside {@link changeHome}. */
export async function writeProfile(home: ClientHome, name: string, profile: Profile): Promise<void> {
  await writeFileAtomic(home.profile(name), stringify(profile, { lineWidth: 0 }), 0o600);
}

/** Makes a profile the current one. Call it inside {@link changeHome}. */
export async function selectProfile(home: ClientHome, name: string): Promise<void> {
  const target = basename(home.profile(name));
  const temporary = join(dirname(home.current), `.profile.${randomHex(systemRandom, 6)}.tmp`);
  try {
    await symlink(target, temporary);
    await rename(temporary, home.current);
  } catch (error) {
    await rm(temporary, { force: true });
    if (systemErrorCode(error) !== "EPERM" || process.platform !== "win32") throw error;
    await writeFileAtomic(home.current, `${target}\n`, 0o600);
  }
}

/** The gateway that a command means: `--proxy`, else `TELEPORT_PROXY`, else the current profile; undefined where none of them says. */
export async function chosenProxy(home: ClientHome, env: Environment, flag: string | undefined): Promise<string | undefined> {
  const asked = flag ?? (env["TELEPORT_PROXY"] === "" ? undefined : env["TELEPORT_PROXY"]);
  if (asked !== undefined) return parseProxyAddress(asked).text;
  const name = await currentProfileName(home);
  return name === undefined ? undefined : (await readProfile(home, name))?.web_proxy_addr;
}

/** The profile of a gateway and its name. Throws `unauthenticated` where there is none. */
export async function requireProfile(home: ClientHome, env: Environment, flag: string | undefined): Promise<{ readonly name: string; readonly profile: Profile }> {
  const proxy = await chosenProxy(home, env, flag);
  if (proxy === undefined) throw new GatehouseError("unauthenticated", "not logged in to any gateway", { hint: "log in first: tsh login --proxy=<gateway>" });
  const name = profileName(parseProxyAddress(proxy));
  const profile = await readProfile(home, name);
  if (!profile) throw new GatehouseError("unauthenticated", `not logged in to ${proxy}`, { hint: `log in first: tsh login --proxy=${proxy}` });
  return { name, profile };
}
