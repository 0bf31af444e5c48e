import { realpathSync } from "node:fs";
import { createRequire } from "node:module";
import type * as Keyring from "@napi-rs/keyring";
import { GatehouseError, errorMessage } from "../../base/index.ts";
import type { Environment } from "./home.ts";
import type { Keystore } from "./keystore.ts";
import type { SecretServiceState } from "./secret-service.ts";
import { splitKeystore } from "./split-keystore.ts";

const service = "gatehouse";
/** ms that a keychain may take for one answer. */
const limit = 5000;
/** UTF-16 units of an entry on Windows: 2000 of the 2560 bytes it takes. */
const windowsEntry = 1000;

const useFile = "keep the login in a file instead: tsh login --keystore=file";

/** The error for a Secret Service that cannot be used, or undefined where it can. */
function problem(state: SecretServiceState): GatehouseError | undefined {
  switch (state) {
    case "ready":
    case "unknown":
      return undefined;
    case "absent":
      return new GatehouseError("internal", "no keychain service runs in this session (no Secret Service on the session bus)", { hint: useFile });
    case "locked":
      return new GatehouseError("internal", "the keychain is locked", { hint: `unlock it (your desktop's password manager does), or ${useFile}` });
    case "no-collection":
      return new GatehouseError("internal", "the keychain service has no default keychain yet", { hint: `create one (log in to the desktop once, or run gnome-keyring-daemon --unlock), or ${useFile}` });
    case "hung":
      return new GatehouseError("internal", `the keychain did not answer within ${limit / 1000} s`, { hint: `restart the keychain service, or ${useFile}` });
    case "refused":
      return new GatehouseError("internal", "the session bus refused to reach the keychain service", { hint: `check DBUS_SESSION_BUS_ADDRESS, or ${useFile}` });
  }
}

async function serviceState(env: Environment): Promise<SecretServiceState> {
  const { secretServiceState } = await import("./secret-service.ts");
  return secretServiceState(env, limit);
}

/** Whether a keychain service exists at all; one that is locked or hangs does. */
export async function keychainExists(env: Environment): Promise<boolean> {
  return process.platform !== "linux" || (await serviceState(env)) !== "absent";
}

/**
 * By require: import() would first parse this CommonJS module for its exports, which costs kubectl 10 ms a call. By the path behind all links, where its native
 * part is beside it: Node 20 sometimes takes a link of node_modules for what it leads to.
 */
function loadKeyring(): typeof Keyring {
  const require = createRequire(import.meta.url);
  return require(realpathSync.native(require.resolve("@napi-rs/keyring"))) as typeof Keyring;
}

let stuck = false;

/** Whether a call to the keychain never came back. Such a process cannot end by itself: Node waits for the thread that made the call. */
export function keychainIsStuck(): boolean {
  return stuck;
}

/**
 * The operating system's keychain. Every call takes at most 5 s. A keychain that is locked, hangs or refuses is an error that says so; nothing
 * ever falls back to another store.
 */
export function keychainKeystore(env: Environment): Keystore {
  let checked: Promise<void> | undefined;
  const check = async (): Promise<void> => {
    const failure = process.platform === "linux" ? problem(await serviceState(env)) : undefined;
    if (failure) throw failure;
  };

  async function call<T>(account: string, verb: string, work: (entry: Keyring.AsyncEntry) => Promise<T>): Promise<T> {
    let timer: NodeJS.Timeout | undefined;
    try {
      checked ??= check();
      checked.catch(() => undefined);
      const keyring = loadKeyring();
      await checked;
      // Left to itself the binding falls back, in silence, to a kernel keyring that does not survive.
      const entry = new keyring.AsyncEntry(service, account, { linux: { store: "secret-service" } });
      const late = new Promise<never>((_resolve, reject) => {
        timer = setTimeout(() => {
          stuck = true;
          reject(problem("hung"));
        }, limit);
      });
      return await Promise.race([work(entry), late]);
    } catch (error) {
      if (error instanceof GatehouseError) throw error;
      throw new GatehouseError("internal", `could not ${verb} the keychain: ${errorMessage(error)}`, { hint: useFile, cause: error });
    } finally {
      clearTimeout(timer);
    }
  }

  const plain: Keystore = {
    getPassword: async (account) => (await call(account, "read from", (entry) => entry.getPassword())) ?? undefined,
    setPassword: (account, text) => call(account, "write to", (entry) => entry.setPassword(text)),
    deletePassword: (account) => call(account, "delete from", (entry) => entry.deletePassword()),
  };
  return process.platform === "win32" ? splitKeystore(plain, windowsEntry) : plain;
}
