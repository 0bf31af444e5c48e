import type { EventSearch, OwnAuditLog, RecordingLibrary, WitnessKeeper } from "../../audit/index.ts";
import type { Authorities } from "../../ca/index.ts";
import type { AuthService } from "../../auth/index.ts";
import type { KubeTarget } from "../../access/index.ts";
import type { Clock, Logger, Random } from "../../base/index.ts";
import type { LiveSessions } from "../sessions/index.ts";

/** A Kubernetes cluster of this gateway, and whether it may impersonate there. */
export interface KubeClusterView {
  readonly target: KubeTarget;
  readonly healthy: boolean;
  /** What is missing, in words, where it is not healthy. */
  readonly problem: string | undefined;
  /** The same for people who only use the cluster: without paths and addresses. */
  readonly summary: string | undefined;
}

/** The Kubernetes side of the gateway, as the admin API tells it. */
export interface KubeView {
  readonly enabled: boolean;
  /** `host:port` as people reach it. */
  readonly publicAddr: string | undefined;
  readonly defaultCluster: string | undefined;
  readonly clusters: readonly KubeClusterView[];
  /** What the operator should know besides, one line each. */
  readonly notes: readonly string[];
  /** Live streams on this gateway. */
  readonly streams: number;
}

export interface AdminOptions {
  /** Recordings of ended sessions. */
  readonly library: RecordingLibrary;
  /** Sessions under way. */
  readonly sessions: LiveSessions;
  readonly auth: AuthService;
  readonly authorities: Authorities;
  readonly kube: () => KubeView;
  /** `https://host:port` as people reach this gateway. */
  readonly publicUrl: () => string;
  /** The audit log of this gateway. */
  readonly audit: Pick<OwnAuditLog, "emit" | "status">;
  readonly events: EventSearch;
  /** Keeps other gateways' checkpoints. */
  readonly witness: Pick<WitnessKeeper, "read">;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly random: Random;
}
