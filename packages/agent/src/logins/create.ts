import { errorMessage } from "@gatehouse/core/base";
import { isUsable, openLogins, parseRecord, type KeystoreKind, type LoginStore } from "@gatehouse/core/client/lean";
import { AgentLocked, type AgentLogin } from "@gatehouse/core/client/local-agent";
import type { AgentContext, AgentLock, AgentLogins } from "../parts.ts";
import type { HeldLogin } from "./held-login.ts";
import { joinKeys } from "./login-keys.ts";
import { createMemorySecrets, secretsKeystore } from "./memory-secrets.ts";
import { parseState, type LoginsState } from "./state.ts";
import { createVault } from "./vault.ts";

/** What the agent's logins are made with, besides what every part has. */
export interface LoginsOptions {
  /** Opens a keystore; the person's own where absent. */
  readonly open?: ((kind: KeystoreKind) => LoginStore) | undefined;
}

/** ms between looks at all profiles and the clock. A timer sleeps with the machine, so none is longer. */
const interval = 30_000;
/** ms that ssh waits for a keystore before it is told of the keys that are known. */
const patience = 1000;

/** Kept for a switch of user, and nobody's in use (see `keptName`). */
const isInUse = ({ profile }: HeldLogin): boolean => !profile.includes("+");

/** The logins of this home. Looks at them at once, and every 30 s; `close` ends that, and overwrites what is in memory. */
export function createLogins(context: AgentContext, lock: Pick<AgentLock, "isLocked">, options: LoginsOptions = {}): AgentLogins {
  const { home, env, clock, log } = context;
  const secrets = createMemorySecrets();
  const open = options.open ?? ((kind: KeystoreKind) => openLogins(home, kind, env, kind === "memory" ? secretsKeystore(secrets) : undefined));
  const vault = createVault({ context, open });

  const unlocked = (): void => {
    if (lock.isLocked) throw new AgentLocked();
  };
  const good = (): readonly HeldLogin[] => vault.held().filter((login) => isUsable(login, clock.now()));

  const forgetEnded = (): void => {
    const now = clock.now();
    for (const login of vault.held()) if (login.expires <= now) vault.drop(login);
    for (const [account, text] of secrets.entries()) {
      try {
        if (parseRecord(text).expires > now) continue;
      } catch {
        // No login: nothing that could be used.
      }
      secrets.delete(account);
    }
  };

  const look = async (): Promise<void> => {
    await vault.scan();
    forgetEnded();
  };
  const lookAndLog = (): Promise<void> => look().catch((error: unknown) => log(`could not look at the logins: ${errorMessage(error)}`));
  let looking = lookAndLog();
  const timer = setInterval(() => {
    looking = lookAndLog();
  }, interval);
  timer.unref();

  return {
    async credentials(profile) {
      unlocked();
      const login = await vault.get(profile);
      unlocked();
      return isUsable(login, clock.now()) ? login.text() : null;
    },
    relogin: async ({ profile }) => {
      unlocked();
      const login = await vault.get(profile);
      return { record: isUsable(login, clock.now()) ? login.text() : null, reason: null };
    },
    async changed(profile) {
      await vault.get(profile);
    },
    async refresh() {
      looking = lookAndLog();
      let late: NodeJS.Timeout | undefined;
      await Promise.race([looking, new Promise((resolve) => (late = setTimeout(resolve, patience)))]).finally(() => clearTimeout(late));
    },
    list: () =>
      good().map(
        ({ profile, proxy, username, cluster, keystore, expires }): AgentLogin => ({ profile, proxy, username, cluster, keystore, expires, renewal: "never" }),
      ),
    keys: joinKeys(() => (lock.isLocked ? [] : good().filter(isInUse).map(({ keys }) => keys))),
    secrets: {
      get(account) {
        unlocked();
        return secrets.get(account);
      },
      set(account, text) {
        unlocked();
        secrets.set(account, text);
      },
      delete: (account) => secrets.delete(account),
    },
    get isIdle() {
      return secrets.size === 0 && good().length === 0;
    },
    state: (): LoginsState => ({ secrets: secrets.entries() }),
    restore(state) {
      for (const [account, text] of parseState(state).secrets) secrets.set(account, text);
      looking = lookAndLog();
    },
    async close() {
      clearInterval(timer);
      await looking;
      vault.clear();
      secrets.clear();
    },
  };
}
