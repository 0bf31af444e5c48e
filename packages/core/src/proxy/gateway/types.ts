import type { Clock, Logger, Random } from "../../base/index.ts";
import type { PasswordCost } from "../../auth/index.ts";
import type { UpstreamCheck } from "../kube/index.ts";

/** What a gateway stands on; what is absent is the machine's own. */
export interface GatewayDependencies {
  readonly logger: Logger;
  readonly clock?: Clock | undefined;
  readonly random?: Random | undefined;
  readonly env?: Readonly<Record<string, string | undefined>> | undefined;
  /** For tests, where the real cost would be most of the time. */
  readonly passwordCost?: PasswordCost | undefined;
}

/** Bound addresses, `host:port`. */
export interface GatewayAddresses {
  readonly web: string;
  readonly admin: string;
  /** Absent where the Kubernetes proxy is off. */
  readonly kube: string | undefined;
  /** Absent where the SSH proxy is off. */
  readonly ssh: string | undefined;
  /** Absent where diagnostics are off. */
  readonly diag: string | undefined;
}

/** A running gateway. */
export interface Gateway {
  readonly clusterName: string;
  readonly hostId: string;
  /** `sha256:<hex>` of the host authority: what people give to `--ca-pin`. */
  readonly caPin: string;
  readonly addresses: GatewayAddresses;
  /** `https://host:port` as people reach it. */
  readonly publicUrl: string;
  /** `host:port` of the Kubernetes proxy as people reach it. */
  readonly kubePublicAddr: string | undefined;
  /** `host:port` of the SSH proxy as people reach it. */
  readonly sshPublicAddr: string | undefined;
  /** What the last look at each cluster found; looked at again every minute. */
  readonly kubernetes: readonly UpstreamCheck[];
  /** What the operator should know about its clusters besides, one line each. */
  readonly kubernetesNotes: readonly string[];
  /** Nobody has been invited or has logged in yet. */
  readonly firstStart: boolean;
  /** Stops accepting, lets what is under way end for at most `drainMs`, ends what is left with a reason, and closes everything. */
  close(options: { readonly drainMs: number }): Promise<void>;
}
