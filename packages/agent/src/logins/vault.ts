import { readdir, stat } from "node:fs/promises";
import { GatehouseError, errorMessage, systemErrorCode } from "@gatehouse/core/base";
import { isKeystoreKind, keychainIsStuck, readProfileHead, type KeystoreKind, type LoginStore } from "@gatehouse/core/client/lean";
import type { AgentContext } from "../parts.ts";
import { holdLogin, type HeldLogin } from "./held-login.ts";

/** Profiles looked at in a home. */
const maxProfiles = 1000;

/** Logins by profile, each read from its keystore once, and again when its profile's file is another. */
export interface Vault {
  /** The login of a profile as it is stored now, ended or not. One `stat` where nothing has changed. Throws what its keystore refuses with. */
  get(profile: string): Promise<HeldLogin | undefined>;
  /** Looks at every profile of the home. What cannot be read is logged. */
  scan(): Promise<void>;
  /** What was found so far. */
  held(): readonly HeldLogin[];
  /** Holds this instead, which is not stored yet, until the profile changes. */
  replace(login: HeldLogin): void;
  /** Forgets one, and overwrites it, until its profile changes. */
  drop(login: HeldLogin): void;
  /** Forgets and overwrites all. */
  clear(): void;
}

/** What a vault is made of. */
export interface VaultOptions {
  readonly context: Pick<AgentContext, "home" | "log">;
  readonly open: (kind: KeystoreKind) => LoginStore;
  /** Told of each login that was read, and of the one of this profile that it replaces. */
  readonly onHeld?: (login: HeldLogin, before: HeldLogin | undefined) => void;
}

interface Entry {
  readonly stamp: string;
  readonly login: HeldLogin | undefined;
}

const isName = (profile: string): boolean => /^[^./\\\0][^/\\\0]{0,254}$/.test(profile);

/** A vault in which nothing is yet. */
export function createVault({ context, open, onHeld }: VaultOptions): Vault {
  const { home, log } = context;
  const entries = new Map<string, Entry>();
  const loads = new Map<string, Promise<void>>();

  const stampOf = async (profile: string): Promise<string | undefined> => {
    try {
      const { ino, mtimeMs, size } = await stat(home.profile(profile));
      return `${ino} ${mtimeMs} ${size}`;
    } catch (error) {
      if (systemErrorCode(error) === "ENOENT") return undefined;
      throw new GatehouseError("internal", `could not look at ${home.profile(profile)}: ${systemErrorCode(error) ?? errorMessage(error)}`, { cause: error });
    }
  };

  const put = (profile: string, entry: Entry | undefined): void => {
    const before = entries.get(profile)?.login;
    if (entry) entries.set(profile, entry);
    else entries.delete(profile);
    if (entry?.login) onHeld?.(entry.login, before);
    before?.wipe();
  };

  const read = async (profile: string): Promise<HeldLogin | undefined> => {
    const kind = (await readProfileHead(home, profile))?.keystore;
    if (!isKeystoreKind(kind)) return undefined;
    // Each such call holds one of the few threads that Node has for files and names.
    if (kind === "keychain" && keychainIsStuck()) throw new GatehouseError("internal", "the keychain has stopped answering the local agent", { hint: "restart the keychain service, and then the agent: tsh agent stop" });
    const record = await open(kind).read(profile);
    return record && holdLogin(profile, kind, record);
  };

  const load = (profile: string, stamp: string): Promise<void> => {
    const under = loads.get(profile);
    if (under) return under;
    const made = read(profile)
      .then((login) => put(profile, { stamp, login }))
      .catch((error: unknown) => {
        put(profile, undefined);
        throw error;
      })
      .finally(() => loads.delete(profile));
    loads.set(profile, made);
    return made;
  };

  const get = async (profile: string): Promise<HeldLogin | undefined> => {
    if (!isName(profile)) throw new GatehouseError("bad_parameter", "that is no name of a profile");
    for (;;) {
      const stamp = await stampOf(profile);
      const entry = entries.get(profile);
      if (stamp === undefined) {
        put(profile, undefined);
        return undefined;
      }
      if (entry?.stamp === stamp) return entry.login;
      await load(profile, stamp);
    }
  };

  return {
    get,
    async scan() {
      const names = await readdir(home.path, { withFileTypes: true }).catch((error: unknown) => {
        if (systemErrorCode(error) === "ENOENT") return [];
        throw error;
      });
      // An alias is a link to a profile that has its own name.
      const found = names.filter((each) => each.isFile() && each.name.endsWith(".yaml") && !each.name.startsWith(".")).map(({ name }) => name.slice(0, -".yaml".length));
      for (const profile of [...entries.keys()]) if (!found.includes(profile)) put(profile, undefined);
      await Promise.all(found.slice(0, maxProfiles).map((profile) => get(profile).catch((error: unknown) => log(`the login of ${profile} cannot be read: ${errorMessage(error)}`))));
    },
    held: () => [...entries.values()].flatMap(({ login }) => login ?? []),
    replace(login) {
      const entry = entries.get(login.profile);
      if (entry) put(login.profile, { stamp: entry.stamp, login });
      else login.wipe();
    },
    drop(login) {
      const entry = entries.get(login.profile);
      if (entry?.login !== login) return;
      entries.set(login.profile, { stamp: entry.stamp, login: undefined });
      login.wipe();
    },
    clear() {
      for (const profile of [...entries.keys()]) put(profile, undefined);
    },
  };
}
