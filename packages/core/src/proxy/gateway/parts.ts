import type { AddressInfo } from "node:net";
import type { EventSearch, OwnAuditLog, WitnessKeeper } from "../../audit/index.ts";
import type { AuthService } from "../../auth/index.ts";
import type { Clock, Logger, Random } from "../../base/index.ts";
import type { Authorities } from "../../ca/index.ts";
import type { GatewayConfig } from "../../config/index.ts";
import type { Store } from "../../store/index.ts";
import type { KubeProxy } from "../kube/index.ts";
import type { Recorder, Sessions } from "../sessions/index.ts";
import type { SshProxy } from "../ssh/index.ts";
import type { Certificates } from "./certificates.ts";
import type { KubeHealth } from "./kube-health.ts";

/** How long a start waits for what it can do without: Kubernetes clusters that say whether the gateway may impersonate, recordings that a crash has left. ms. */
export const startWait = 5000;

/** What the gateway is built from, once the data directory is open. */
export interface Base {
  readonly config: GatewayConfig;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly store: Store;
  readonly hostId: string;
  readonly authorities: Authorities;
  readonly audit: OwnAuditLog;
  readonly recorder: Recorder;
  readonly sessions: Sessions;
  readonly events: EventSearch;
  readonly witness: WitnessKeeper;
  readonly auth: AuthService;
  readonly certificates: Certificates;
}

/** What is known only while the gateway runs; the applications ask for it at each request. */
export interface Live {
  kube: KubeProxy | undefined;
  ssh: SshProxy | undefined;
  health: KubeHealth | undefined;
  web: AddressInfo | undefined;
  kubeAddress: AddressInfo | undefined;
  sshAddress: AddressInfo | undefined;
  adminAddress: AddressInfo | undefined;
  draining: boolean;
}
