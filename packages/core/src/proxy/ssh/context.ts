import type { Gatekeeper, NodeDirectory, Revocations } from "../../auth/index.ts";
import type { Clock, Logger, Random } from "../../base/index.ts";
import type { Authorities } from "../../ca/index.ts";
import type { Strangers } from "../listener/index.ts";
import type { Recorder, Registry, Sessions, Ending } from "../sessions/index.ts";
import type { SshLive } from "./bridge/index.ts";
import type { SshLimits, SshProxyOptions } from "./types.ts";

/** What every connection of the SSH proxy shares. */
export interface SshContext {
  readonly options: SshProxyOptions;
  readonly limits: SshLimits;
  readonly nodes: NodeDirectory;
  readonly revocations: Pick<Revocations, "isHostRevoked">;
  readonly gatekeeper: Gatekeeper;
  readonly authorities: Authorities;
  readonly recorder: Recorder;
  readonly sessions: Sessions;
  readonly registry: Registry<Ending, SshLive>;
  readonly strangers: Strangers;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly random: Random;
  /** True once the proxy closes. */
  readonly closing: () => boolean;
}
