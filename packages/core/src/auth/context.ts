import type { GithubClients } from "./github-clients.ts";
import type { Passwords } from "./passwords.ts";
import type { Snapshot } from "./snapshot.ts";
import type { AuthOptions, StreamCheck } from "./types.ts";

/** What every part of the auth service works with. */
export interface Context extends Omit<AuthOptions, "preference" | "maxStaleness" | "onApplied" | "kubeClusters" | "passwordCost" | "githubTimeouts"> {
  readonly snapshot: Snapshot;
  readonly passwords: Passwords;
  readonly github: GithubClients;
  readonly kubeClusters: () => readonly string[];
  readonly onApplied: () => StreamCheck | Promise<StreamCheck>;
}
