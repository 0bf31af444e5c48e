import type { ConfigOverrides } from "@gatehouse/core/config";

/** Flags of `tsh proxy`: the configuration file, and what wins over it. */
export interface GatewayFlags extends ConfigOverrides {
  /** Path of `teleport.yaml`; absent: `/etc/teleport.yaml` where there is one. */
  readonly config?: string | undefined;
  readonly format: "text" | "json";
  /** How long a stop waits for what is under way, ms. */
  readonly drainMs: number;
}
