import { errorMessage } from "@gatehouse/core/base";
import { isUsable, openLogins, type KeystoreKind, type LoginStore } from "@gatehouse/core/client/lean";
import { AgentLocked, type AgentLogin } from "@gatehouse/core/client/local-agent";
import { silentNotifier, type Notifier } from "../notify/index.ts";
import type { AgentContext, AgentLock, AgentLogins } from "../parts.ts";
import { browserLogin, browserObstacle } from "./browser-login.ts";
import { createEmbedded } from "./embedded.ts";
import { holdLogin, type HeldLogin } from "./held-login.ts";
import { joinKeys } from "./login-keys.ts";
import { createMemorySecrets, forgetEnded, secretsKeystore } from "./memory-secrets.ts";
import { createRelogin } from "./relogin.ts";
import { createRenewer, type RenewerTools } from "./renewer.ts";
import { formatState, parseState } from "./state.ts";
import { createVault } from "./vault.ts";
import { createWarner } from "./warner.ts";

/** What the agent's logins are made with, besides what every part has. */
export interface LoginsOptions {
  /** The person's setting `relogin`, read each time; `ask` where absent. */
  readonly relogin?: (() => "ask" | "agent") | undefined;
  /** Who tells the person; nobody where absent. */
  readonly notifier?: Notifier | undefined;
  /** What the launcher of a new login runs: Node and the absolute path of the command. This process's own where absent. */
  readonly program?: { readonly node: string; readonly script: string } | undefined;
  /** Opens a keystore; the person's own where absent. */
  readonly open?: ((kind: KeystoreKind) => LoginStore) | undefined;
  /** For tests: asks the gateway for a renewal. */
  readonly renew?: RenewerTools["renew"] | undefined;
  /** For tests: logs in through a browser. */
  readonly login?: ((profile: string) => Promise<void>) | undefined;
}

/** ms between looks at all profiles and the clock. A timer sleeps with the machine, so none is longer. */
const interval = 30_000;
/** ms that ssh waits for a keystore before it is told of the keys that are known. */
const patience = 1000;

/** Kept for a switch of user, and nobody's in use (see `keptName`). */
const isInUse = ({ profile }: HeldLogin): boolean => !profile.includes("+");

/** What is heavy is loaded when it is used: most of the time the agent does nothing. */
const client = () => import("@gatehouse/core/client");

/** The logins of this home. Looks at them at once, and every 30 s; `close` ends that, and overwrites what is in memory. */
export function createLogins(context: AgentContext, lock: Pick<AgentLock, "isLocked">, options: LoginsOptions = {}): AgentLogins {
  const { home, env, clock, random, log } = context;
  const secrets = createMemorySecrets();
  const open = options.open ?? ((kind: KeystoreKind) => openLogins(home, kind, env, kind === "memory" ? secretsKeystore(secrets) : undefined));
  const warner = createWarner({ clock, log, notifier: options.notifier ?? silentNotifier });
  const wasGood = new WeakSet<HeldLogin>();

  const vault = createVault({
    context,
    open,
    onHeld(login) {
      if (login.expires > clock.now()) wasGood.add(login);
      renewer.take(login);
      embedded.take(login);
      arm();
    },
  });

  const renewer = createRenewer({
    clock,
    random,
    log,
    renew: options.renew ?? (async (record) => (await client()).renewLogin(record, { clock })),
    prospect: async (thrown) => (await client()).renewalProspect(thrown),
    store: async (name, before, renewed) => {
      const stored = await (await client()).storeRenewed({ home, name, before, renewed, open });
      await vault.get(name);
      return stored;
    },
    hold: (login, renewed) => vault.replace(holdLogin(login.profile, login.keystore, renewed)),
    over: (login) => warner.ended(login),
  });

  const embedded = createEmbedded({ home, clock, log, renew: async (profile, record) => (await client()).renewEmbeddedEntries(home, profile, record) });

  const good = (): readonly HeldLogin[] => vault.held().filter((login) => isUsable(login, clock.now()));
  const fresh = async (profile: string): Promise<HeldLogin | undefined> => {
    const login = await vault.get(profile);
    return isUsable(login, clock.now()) ? login : undefined;
  };

  const relogin = createRelogin({
    clock,
    log,
    setting: options.relogin ?? (() => "ask"),
    fresh: async (profile) => (await fresh(profile))?.text() ?? null,
    obstacle: () => browserObstacle(env),
    login:
      options.login ??
      ((profile) => browserLogin(profile, { env, home, clock, random, program: options.program ?? { node: process.execPath, script: process.argv[1] ?? "" }, expires: async (name) => (await fresh(name))?.expires })),
  });

  /** Sees what has changed and what has ended. */
  const look = async (): Promise<void> => {
    await vault.scan();
    const now = clock.now();
    for (const login of vault.held()) {
      if (login.expires > now) {
        warner.check(login, renewer.of(login.profile));
        continue;
      }
      if (wasGood.has(login)) warner.ended(login);
      vault.drop(login);
    }
    forgetEnded(secrets, now);
  };

  const failed = (error: unknown): void => log(`could not look after the logins: ${errorMessage(error)}`);

  let closed = false;
  let timer: NodeJS.Timeout | undefined;
  let looked = clock.now();
  let working: Promise<void> | undefined;

  const work = (): void => {
    const run = async (): Promise<void> => {
      looked = clock.now();
      await look();
      await renewer.run(vault.held());
      await embedded.run(vault.held());
    };
    const done = (): void => {
      working = undefined;
      arm();
    };
    working ??= run().catch(failed).then(done);
  };
  function arm(): void {
    clearTimeout(timer);
    if (closed || working) return;
    const next = renewer.next();
    const wait = Math.min(interval, Math.max(1000, (next ?? Number.POSITIVE_INFINITY) - clock.now()));
    timer = setTimeout(work, wait).unref();
  }
  /** The machine has slept, or its clock was set: nothing is due when it was to be. */
  const minded = (): void => {
    if (Math.abs(clock.now() - looked) > interval + 5000) work();
  };

  const unlocked = (): void => {
    if (lock.isLocked) throw new AgentLocked();
  };

  work();

  return {
    async credentials(profile) {
      unlocked();
      minded();
      const login = await fresh(profile);
      unlocked();
      return login?.text() ?? null;
    },
    async relogin({ profile }) {
      unlocked();
      const answer = await relogin.wait(profile);
      unlocked();
      return answer;
    },
    async refresh() {
      minded();
      let late: NodeJS.Timeout | undefined;
      await Promise.race([look().catch(failed), new Promise((resolve) => (late = setTimeout(resolve, patience)))]).finally(() => clearTimeout(late));
    },
    list: () =>
      good().map(({ profile, proxy, username, cluster, keystore, expires }): AgentLogin => {
        const { state, at } = renewer.of(profile);
        return { profile, proxy, username, cluster, keystore, expires, renewal: state, renewsAt: at };
      }),
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
      return secrets.size === 0 && good().length === 0 && !relogin.isUnderWay && renewer.unstored().length === 0;
    },
    state: () => formatState({ secrets: secrets.entries(), unstored: renewer.unstored(), told: warner.told(), lastTab: relogin.state() }),
    restore(state) {
      const handed = parseState(state);
      for (const [account, text] of handed.secrets) secrets.set(account, text);
      renewer.restore(handed.unstored);
      warner.restore(handed.told);
      relogin.restore(handed.lastTab);
      work();
    },
    async close() {
      closed = true;
      clearTimeout(timer);
      await working;
      vault.clear();
      secrets.clear();
    },
  };
}
