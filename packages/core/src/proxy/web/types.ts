import type { WitnessKeeper } from "../../audit/index.ts";
import type { Clock, Logger, Random, RateLimit } from "../../base/index.ts";
import type { Authorities } from "../../ca/index.ts";
import type { AuthService } from "../../auth/index.ts";
import type { Connector, SecondFactor } from "../../resources/index.ts";
import type { PasswordRules } from "./pages.ts";

/** What `ping` says of the listeners; addresses are `host:port`. */
export interface ProxyFacts {
  readonly kube: { readonly enabled: boolean; readonly publicAddr: string | undefined };
  readonly ssh: { readonly listenAddr: string; readonly publicAddr: string; readonly sshPublicAddr: string | undefined };
}

/** How people log in, as it stands in the store now. */
export interface LoginSettings {
  readonly type: "local" | "oidc" | "saml" | "github";
  readonly secondFactor: SecondFactor;
  readonly connectorName: string | undefined;
  readonly connectors: readonly { readonly kind: Connector["kind"]; readonly name: string; readonly display: string }[];
}

export interface WebOptions {
  readonly auth: AuthService;
  readonly loginSettings: () => Promise<LoginSettings>;
  readonly facts: () => ProxyFacts;
  /** `https://host:port` as people reach this gateway. */
  readonly publicUrl: () => string;
  /** Whether local accounts may log in. */
  readonly localLogins: boolean;
  readonly passwordRules: PasswordRules;
  readonly authorities: Pick<Authorities, "trust">;
  /** Keeps other gateways' checkpoints; absent: this gateway is witness for none. */
  readonly witness?: WitnessKeeper | undefined;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly random: Random;
  /** For each caller: starts of a login, and tries of a password or a token. */
  readonly limits?: { readonly logins: RateLimit; readonly passwords: RateLimit } | undefined;
}
