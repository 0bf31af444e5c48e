import { errorMessage, escapeLine, type Clock } from "@gatehouse/core/base";
import type { AgentVerbs } from "@gatehouse/core/client/local-agent";

/** One browser login for everybody who waits. */
export interface Relogin {
  /** Waits for the login of this profile. */
  wait(profile: string): Promise<AgentVerbs["relogin"]["answer"]>;
  readonly isUnderWay: boolean;
  /** When the last browser was opened and why it gave no login, for the agent that takes this one's place. */
  state(): LastTab | undefined;
  restore(last: LastTab | undefined): void;
}

/** The last browser that was opened. */
export interface LastTab {
  /** ms since the epoch. */
  readonly at: number;
  /** Why there was no login; null where there was one. */
  readonly reason: string | null;
}

/** What the one login is made with. */
export interface ReloginTools {
  readonly clock: Clock;
  readonly log: (text: string) => void;
  /** The person's setting. */
  readonly setting: () => "ask" | "agent";
  /** The text of the login that is good now, whoever made it. */
  readonly fresh: (profile: string) => Promise<string | null>;
  /** Why no browser can be shown to the person from here; undefined where one can. */
  readonly obstacle: () => Promise<string | undefined>;
  /** Logs in through the browser as the profile says, and stores the result. Throws why not. */
  readonly login: (profile: string) => Promise<void>;
}

/** ms between two browsers that nobody asked for by a command. */
const pause = 600_000;

/** Nothing is under way yet. */
export function createRelogin(tools: ReloginTools): Relogin {
  const { clock, log } = tools;
  const underWay = new Map<string, Promise<string | null>>();
  let last: LastTab | undefined;

  /** Null where it went well. */
  const make = async (profile: string): Promise<string | null> => {
    last = { at: clock.now(), reason: null };
    try {
      await tools.login(profile);
    } catch (error) {
      last = { at: last.at, reason: errorMessage(error) };
    }
    log(last.reason === null ? `logged in again: ${profile}` : `the login of ${profile} in the browser failed: ${last.reason}`);
    return last.reason;
  };

  /** Why no browser is opened now. */
  const tooSoon = (profile: string): string | undefined => {
    if (last === undefined || clock.now() < last.at || clock.now() - last.at >= pause) return undefined;
    const why = [...underWay.keys()].some((other) => other !== profile) ? "another login is under way in the browser" : (last.reason ?? "a login was made there already");
    return `the agent opens one browser in ten minutes: ${escapeLine(why)}`;
  };

  const begin = async (profile: string): Promise<string | null> => {
    // Another gateway's may have been opened while this looked for a desktop.
    const obstacle = tooSoon(profile) ?? (await tools.obstacle()) ?? tooSoon(profile);
    return obstacle ?? make(profile);
  };

  return {
    async wait(profile) {
      const there = await tools.fresh(profile);
      if (there !== null || tools.setting() !== "agent") return { record: there, reason: null };
      let waiting = underWay.get(profile);
      if (!waiting) {
        waiting = begin(profile).finally(() => underWay.delete(profile));
        underWay.set(profile, waiting);
      }
      const reason = await waiting;
      // It may be there all the same: made by somebody else, or while it was looked for.
      const record = await tools.fresh(profile);
      return { record, reason: record === null ? reason : null };
    },
    get isUnderWay() {
      return underWay.size > 0;
    },
    state: () => last,
    restore(state) {
      last = state;
    },
  };
}
