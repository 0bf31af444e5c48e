import type { Gatekeeper } from "../../auth/index.ts";
import { errorMessage } from "../../base/index.ts";
import type { Clock, Logger } from "../../base/index.ts";
import { Registry, idleReason } from "../sessions/index.ts";
import type { Live as AnyLive } from "../sessions/index.ts";
import type { Grant } from "./authorize.ts";
import { Refusal, failure } from "./status.ts";
import type { Failure } from "./status.ts";

/** A request or stream under way. */
export interface Live extends AnyLive<Failure> {
  readonly grant: Grant;
}

/** What is under way to Kubernetes clusters. */
export type KubeRegistry = Registry<Failure, Live>;

/** Opens it. `clusterIdleTimeout` in ms; 0 means none. */
export function openRegistry(gatekeeper: Gatekeeper, clock: Clock, logger: Logger, clusterIdleTimeout: number): KubeRegistry {
  const lost = (live: Live, now: number): Failure | undefined => {
    try {
      return lostRight(live, gatekeeper) ?? tooIdle(live, now, clusterIdleTimeout);
    } catch (error) {
      if (error instanceof Refusal) return { ...error.failure, message: `access ended: ${error.failure.message}` };
      logger.error({ error: errorMessage(error) }, "a live stream could not be decided anew and was ended");
      return failure(500, "access ended: the gateway could not decide it anew");
    }
  };
  return new Registry({ gatekeeper, clock, lost });
}

/** Throws {@link Refusal} for who is nobody any more. */
function lostRight({ grant, sid }: Live, gatekeeper: Gatekeeper): Failure | undefined {
  const { clusterName } = grant.connection;
  const principal = grant.connection.principal();
  if (!principal.users.includes(grant.kubernetesUser)) {
    return failure(403, `access ended: ${grant.user} may no longer be user ${JSON.stringify(grant.kubernetesUser)} in Kubernetes cluster "${clusterName}"`);
  }
  const missing = grant.groups.filter((group) => !principal.groups.includes(group));
  if (missing.length > 0) {
    return failure(403, `access ended: ${grant.user} no longer has group ${missing.join(", ")} in Kubernetes cluster "${clusterName}"`);
  }
  if (grant.nodeProxy && !principal.decision.nodeProxy) {
    return failure(403, `access ended: ${grant.user} may no longer reach a node's own API in Kubernetes cluster "${clusterName}"`);
  }
  const lock = sid === undefined ? undefined : gatekeeper.sessionLock(principal.identity, { kubeCluster: grant.upstream.target.name }, sid);
  return lock && failure(403, `access ended: ${lock.text}`, lock.lock);
}

function tooIdle(live: Live, now: number, clusterIdleTimeout: number): Failure | undefined {
  const reason = idleReason(live, now, live.grant.connection.principal().identity.roles.options().clientIdleTimeout, clusterIdleTimeout);
  return reason === undefined ? undefined : failure(408, reason);
}
