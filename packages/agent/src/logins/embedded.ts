import { errorMessage, escapeLine, type Clock } from "@gatehouse/core/base";
import { maxProfile, readFileLimited, type ClientHome, type LoginRecord } from "@gatehouse/core/client/lean";
import type { HeldLogin } from "./held-login.ts";

/** ms until a kubeconfig that could not be changed is tried again: kubectl may hold its lock, or it is read-only. */
const pause = 300_000;

/** Lets the kubeconfig entries that hold a login's key itself (`--embed`) follow its renewals. */
export interface EmbeddedEntries {
  /** A login was read: its entries may be behind. */
  take(login: HeldLogin): void;
  /** Brings up to date what may be behind. Never throws. */
  run(logins: readonly HeldLogin[]): Promise<void>;
}

/** What that is done with. */
export interface EmbeddedTools {
  readonly home: ClientHome;
  readonly clock: Clock;
  readonly log: (text: string) => void;
  /** Returns the files that were changed. */
  readonly renew: (profile: string, record: LoginRecord) => Promise<readonly string[]>;
}

/** Nothing is behind yet. */
export function createEmbedded({ home, clock, log, renew }: EmbeddedTools): EmbeddedEntries {
  const due = new Map<string, number>();

  /** By the file's text: a parser of YAML stays in memory, and most people embed nothing. */
  const embeds = async (profile: string): Promise<boolean> => /^embedded_in:/m.test((await readFileLimited(home.profile(profile), { limit: maxProfile })) ?? "");

  const follow = async (login: HeldLogin): Promise<void> => {
    // Before anything is waited for: a login that is read meanwhile is due again.
    due.delete(login.profile);
    try {
      if (!(await embeds(login.profile))) return;
      for (const path of await renew(login.profile, login.record())) log(`wrote the newest certificate for ${login.proxy} into ${escapeLine(path)}`);
    } catch (error) {
      due.set(login.profile, clock.now() + pause);
      log(`could not write the newest certificate for ${login.proxy} into kubeconfig: ${errorMessage(error)}`);
    }
  };

  return {
    take: ({ profile }) => void due.set(profile, 0),
    async run(logins) {
      const now = clock.now();
      const present = new Set(logins.map(({ profile }) => profile));
      for (const profile of [...due.keys()]) if (!present.has(profile)) due.delete(profile);
      for (const login of logins) {
        const at = due.get(login.profile);
        // Kept for a switch of user, a login is in no entry.
        if (at !== undefined && at <= now && login.expires > now && !login.profile.includes("+")) await follow(login);
      }
    },
  };
}
