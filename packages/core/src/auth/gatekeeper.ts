import { buildRoleSet, findLock, kubeUnderLocks, lockReason, underLocks, type Interaction, type KubeDecision, type KubeTarget } from "../access/index.ts";
import { GatehouseError, escapeLine, type Clock } from "../base/index.ts";
import type { CertificateIdentity } from "../ca/index.ts";
import type { Role } from "../resources/index.ts";
import { Locked } from "./locks.ts";
import { hasExternalTraitsOnly } from "./records.ts";
import type { Snapshot } from "./snapshot.ts";
import type { Session } from "./tables.ts";
import type { Gatekeeper, Identity } from "./types.ts";
import { endOf, refuseLocked } from "./users.ts";

/** What the gateway knows of people is too old to let anybody in. */
export class Stale extends GatehouseError {
  constructor() {
    super("access_denied", "the gateway cannot read its store, and lets nobody in until it can", { hint: "try again; if it stays so, tell the gateway's operator" });
  }
}

/** Somebody let in, and until when that needs no second look while nothing changes. */
interface Admitted {
  readonly generation: number;
  readonly until: number;
  readonly identity: Identity;
}

/** What locks see of somebody who was let in. */
function interactionOf({ username, roles, sessionId }: Identity): Interaction {
  return { user: username, roles: roles.roleNames, sessions: [sessionId] };
}

/** Which certificates people came with. */
export interface SeenCertificates {
  /** The newest generation of a login session's certificates that somebody was let in with here, of the 10,000 sessions seen last; 0 where nobody was. */
  newestUsed(sessionId: string): number;
}

const maxShared = 10_000;
const again = "log in again: tsh login";

function unauthenticated(message: string): GatehouseError {
  return new GatehouseError("unauthenticated", message, { hint: again });
}

/** Decides from the snapshot alone. `maxStaleness` in ms: with an older one nobody is let in. */
export function createGatekeeper(options: { readonly snapshot: Snapshot; readonly clock: Clock; readonly maxStaleness: number }): Gatekeeper & SeenCertificates {
  const { snapshot, clock, maxStaleness } = options;
  const { tables } = snapshot;
  // Keyed by the caller's own objects: what a connection remembers goes with the connection.
  const admitted = new WeakMap<CertificateIdentity, Admitted>();
  const decided = new WeakMap<Identity, WeakMap<KubeTarget, KubeDecision>>();
  // Connections of one login share its identity, and with it what was decided for it.
  const bySession = new Map<string, Admitted>();
  const used = new Map<string, number>();

  function sessionOf(certificate: CertificateIdentity, now: number): Session & { readonly id: string } {
    const { sessionId, subjectId } = certificate;
    if (sessionId === undefined || subjectId === undefined) throw unauthenticated("the certificate names no login session of this cluster");
    const session = tables.session(sessionId);
    if (!session || session.expires <= now) {
      const { username } = certificate;
      throw unauthenticated(tables.user(username) ? "your login session has ended" : `user "${escapeLine(username)}" was removed, and your login session has ended with it`);
    }
    if (session.user !== certificate.username || session.subject !== subjectId) {
      throw new GatehouseError("access_denied", "the certificate names a login session of somebody else");
    }
    return { ...session, id: sessionId };
  }

  function admit(certificate: CertificateIdentity, now: number): Admitted {
    const session = sessionOf(certificate, now);
    const { username } = certificate;
    const user = tables.user(username);
    if (!user || endOf(user) <= now) throw new GatehouseError("access_denied", `user "${username}" does not exist any more`, { hint: again });
    if (tables.identity(username) !== session.subject) {
      throw new GatehouseError("access_denied", `the user name "${username}" belongs to another identity now`, { hint: again });
    }
    refuseLocked(user, now);
    const roles = certificate.roles
      .filter((name) => user.spec.roles.includes(name))
      .map((name) => tables.role(name))
      .filter((role): role is Role => role !== undefined);
    const identity: Identity = {
      username,
      subjectId: session.subject,
      sessionId: session.id,
      traits: session.traits,
      roles: buildRoleSet(roles, session.traits, { externalTraitsOnly: hasExternalTraitsOnly(session.subject), userName: username }),
      expires: certificate.notAfter,
    };
    const lock = findLock(tables.locks().people, interactionOf(identity), now);
    if (lock) throw new Locked(lock);
    return { generation: snapshot.generation, until: Math.min(certificate.notAfter, session.expires, endOf(user)), identity };
  }

  function decideKube(identity: Identity, target: KubeTarget): KubeDecision {
    let decisions = decided.get(identity);
    if (!decisions) {
      decisions = new WeakMap();
      decided.set(identity, decisions);
    }
    let decision = decisions.get(target);
    if (!decision) {
      decision = identity.roles.kube(target);
      decisions.set(target, decision);
    }
    return decision;
  }

  return {
    identify(certificate) {
      const now = clock.now();
      if (now >= certificate.notAfter) throw unauthenticated("your certificate has expired");
      if (now - snapshot.freshAt() > maxStaleness) {
        throw new Stale();
      }
      const known = admitted.get(certificate);
      if (known && known.generation === snapshot.generation && now < known.until) return known.identity;
      const key = JSON.stringify([certificate.sessionId, certificate.subjectId, certificate.username, certificate.roles, certificate.notAfter, certificate.generation]);
      const shared = bySession.get(key);
      const current = shared && shared.generation === snapshot.generation && now < shared.until ? shared : admit(certificate, now);
      if (bySession.size >= maxShared) bySession.clear();
      bySession.set(key, current);
      admitted.set(certificate, current);
      const { sessionId } = current.identity;
      const generation = Math.max(certificate.generation, used.get(sessionId) ?? 0);
      // The one not seen longest goes first.
      used.delete(sessionId);
      used.set(sessionId, generation);
      if (used.size > maxShared) for (const oldest of [...used.keys()].slice(0, used.size - maxShared)) used.delete(oldest);
      return current.identity;
    },
    newestUsed: (sessionId) => used.get(sessionId) ?? 0,
    kube(identity, target) {
      const locks = tables.locks().clusters;
      // A lock ends with time alone, so what it refuses is not remembered.
      return locks.length === 0 ? decideKube(identity, target) : kubeUnderLocks(locks, { ...interactionOf(identity), kubeCluster: target.name }, clock.now(), () => decideKube(identity, target));
    },
    node: (identity, { id, name, labels }, login) =>
      underLocks(tables.locks().hosts, { ...interactionOf(identity), node: [name, id], login }, clock.now(), () => identity.roles.node(labels, login)),
    sessionLock(identity, where, sid) {
      const { sessions } = tables.locks();
      if (sessions.length === 0) return undefined;
      const lock = findLock(sessions, { ...interactionOf(identity), sessions: [identity.sessionId, sid], ...where }, clock.now());
      return lock && lockReason(lock);
    },
    get generation() {
      return snapshot.generation;
    },
    onChange: (listener) => snapshot.onChange(listener),
  };
}
