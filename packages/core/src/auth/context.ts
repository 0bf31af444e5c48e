import type { KubeTarget } from "../access/index.ts";
import type { MfaHashes } from "./mfa/index.ts";
import type { Passwords } from "./passwords.ts";
import type { Snapshot } from "./snapshot.ts";
import type { SsoProviders } from "./sso-providers.ts";
import type { AuthOptions, StreamCheck } from "./types.ts";

/** What every part of the auth service works with. */
export interface Context extends Omit<AuthOptions, "preference" | "maxStaleness" | "onApplied" | "kubeClusters" | "passwordCost" | "providerTimeouts" | "publicUrls" | "gatewayNames" | "hashes"> {
  readonly snapshot: Snapshot;
  readonly passwords: Passwords;
  readonly mfaHashes: MfaHashes;
  /** What all gateways draw stand-ins for unknown users from. */
  readonly sharedKey: () => Promise<string>;
  readonly gatewayNames: () => readonly string[];
  readonly publicUrls: () => readonly string[];
  readonly providers: SsoProviders;
  readonly kubeClusters: () => readonly KubeTarget[];
  readonly onApplied: () => StreamCheck | Promise<StreamCheck>;
}
