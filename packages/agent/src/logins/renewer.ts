import { errorMessage, type Clock, type Random } from "@gatehouse/core/base";
import type { LoginRecord } from "@gatehouse/core/client/lean";
import type { RenewalState } from "@gatehouse/core/client/local-agent";
import type { HeldLogin } from "./held-login.ts";
import { refusedDelay, renewalTime, retryDelay } from "./renewal-times.ts";

/** What of a failed renewal follows: see `renewalProspect`. */
export type Prospect = "never" | "refused" | "over" | "later";

/** How the gateway is asked, and where its answer goes. */
export interface RenewerTools {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: (text: string) => void;
  /** Asks the gateway. A record that was renewed must not be renewed again. */
  readonly renew: (record: LoginRecord) => Promise<LoginRecord>;
  readonly prospect: (thrown: unknown) => Prospect | Promise<Prospect>;
  /** False where the login before is not the stored one any more. */
  readonly store: (profile: string, before: LoginRecord, renewed: LoginRecord) => Promise<boolean>;
  /** Holds what was renewed while no keystore takes it. */
  readonly hold: (login: HeldLogin, renewed: LoginRecord) => void;
  /** The session of this login is over, whatever its certificate says. */
  readonly over: (login: HeldLogin) => void;
}

/** How the renewal of a login stands. */
export interface Renewal {
  readonly state: RenewalState;
  /** ms since the epoch; undefined where nothing more is tried. */
  readonly at: number | undefined;
}

/** What a gateway gave and no keystore has taken yet: the only copy, since the certificate before it is not renewed again. */
export interface Unstored {
  readonly profile: string;
  readonly before: LoginRecord;
  readonly renewed: LoginRecord;
}

/** Renews logins in the background. */
export interface Renewer {
  /** A login was read: in place of one with the same end it goes on as that stood. */
  take(login: HeldLogin): void;
  of(profile: string): Renewal;
  /** Does what is due for the logins that there are, and forgets all others; resolves when that is done. Never throws. */
  run(logins: readonly HeldLogin[]): Promise<void>;
  /** When something is due next, ms since the epoch; undefined for never. */
  next(): number | undefined;
  unstored(): readonly Unstored[];
  restore(unstored: readonly Unstored[]): void;
}

interface Plan {
  readonly expires: number;
  state: RenewalState;
  at: number | undefined;
  failures: number;
  /** Why it failed last: said once, however often it is asked. */
  reason: string | undefined;
  busy: boolean;
}

/** An end this near the last one that is possible is the last one, ms. */
const near = 60_000;

/** A renewer that knows no login yet. */
export function createRenewer(tools: RenewerTools): Renewer {
  const { clock, random, log } = tools;
  const plans = new Map<string, Plan>();
  const waiting = new Map<string, Unstored & { at: number; failures: number }>();
  const fraction = (): number => Buffer.from(random(4)).readUInt32BE() / 0x1_0000_0000;

  const plan = (login: HeldLogin): Plan => {
    const { expires, renewableUntil } = login;
    const state: RenewalState = renewableUntil === undefined || login.profile.includes("+") ? "never" : expires >= renewableUntil - near ? "end" : "waiting";
    return { expires, state, at: state === "waiting" ? renewalTime(login, fraction()) : undefined, failures: 0, reason: undefined, busy: false };
  };

  const failed = async (login: HeldLogin, own: Plan, error: unknown): Promise<void> => {
    const prospect = await tools.prospect(error);
    const reason = errorMessage(error);
    if (reason !== own.reason) log(`could not renew the login to ${login.proxy}: ${reason}`);
    own.reason = reason;
    if (prospect === "later") {
      own.failures += 1;
      own.state = "retrying";
      own.at = clock.now() + retryDelay(own.failures, fraction());
      return;
    }
    if (prospect === "refused") {
      own.state = "refused";
      own.at = clock.now() + refusedDelay(login.expires - clock.now(), fraction());
      return;
    }
    own.state = "never";
    own.at = undefined;
    if (prospect === "over") tools.over(login);
  };

  /** Stores what waits for it. Once it is stored, or of no use, it waits no more. */
  const store = async (item: Unstored & { at: number; failures: number }): Promise<void> => {
    try {
      const stored = await tools.store(item.profile, item.before, item.renewed);
      log(stored ? `renewed the login to ${item.renewed.proxy} until ${new Date(item.renewed.expires).toISOString()}` : `the login to ${item.renewed.proxy} has changed while it was renewed: what is stored now is kept`);
      waiting.delete(item.profile);
    } catch (error) {
      item.failures += 1;
      item.at = clock.now() + retryDelay(item.failures, fraction());
      log(`could not store the renewed login to ${item.renewed.proxy}: ${errorMessage(error)}`);
    }
  };

  const renew = async (login: HeldLogin, own: Plan): Promise<void> => {
    own.busy = true;
    try {
      const before = login.record();
      const renewed = await tools.renew(before);
      // This certificate is never renewed again; the next one has a plan of its own.
      own.at = undefined;
      own.state = "end";
      const item = { profile: login.profile, before, renewed, at: 0, failures: 0 };
      waiting.set(login.profile, item);
      // The next thing that happens with it is that it is stored, and read again as any login is.
      await store(item);
      if (waiting.has(login.profile)) tools.hold(login, renewed);
    } catch (error) {
      await failed(login, own, error);
    } finally {
      own.busy = false;
    }
  };

  return {
    take(login) {
      const before = plans.get(login.profile);
      if (before?.expires !== login.expires) plans.set(login.profile, plan(login));
    },
    of(profile) {
      const { state, at } = plans.get(profile) ?? { state: "never" as const, at: undefined };
      return { state, at };
    },
    async run(logins) {
      const now = clock.now();
      const present = new Set(logins.map(({ profile }) => profile));
      for (const profile of [...plans.keys()]) if (!present.has(profile)) plans.delete(profile);
      const unstored = [...waiting.values()];
      // Begun before anything is waited for: a login may be read anew meanwhile, and this one is overwritten then.
      const due = logins.flatMap((login) => {
        const own = plans.get(login.profile);
        return own?.at !== undefined && own.at <= now && !own.busy && login.expires > now && !waiting.has(login.profile) ? [renew(login, own)] : [];
      });
      const storing = async (): Promise<void> => {
        for (const item of unstored) {
          if (item.renewed.expires <= now) waiting.delete(item.profile);
          else if (item.at <= now) await store(item);
        }
      };
      await Promise.all([...due, storing()]);
    },
    next() {
      const times = [...[...plans.values()].flatMap(({ at, busy }) => (at === undefined || busy ? [] : [at])), ...[...waiting.values()].map(({ at }) => at)];
      return times.length === 0 ? undefined : Math.min(...times);
    },
    unstored: () => [...waiting.values()].map(({ profile, before, renewed }) => ({ profile, before, renewed })),
    restore(unstored) {
      for (const item of unstored) waiting.set(item.profile, { ...item, at: 0, failures: 0 });
    },
  };
}
