import { escapeLine } from "../base/index.ts";
import { implicitRoleName, type Lock, type LockTarget } from "../resources/index.ts";
import type { ActiveLock, Decision, Interaction, KubeDecision, Reason } from "./types.ts";

/** A lock as it is enforced. */
export function activeLock({ metadata, spec }: Lock): ActiveLock {
  return {
    name: metadata.name,
    target: spec.target,
    message: spec.message,
    expires: spec.expires === undefined ? Number.POSITIVE_INFINITY : Date.parse(spec.expires),
    unreadable: false,
  };
}

/** Whether a lock is over: it counts until, and not at, the moment it names. */
export function hasEnded(lock: ActiveLock, now: number): boolean {
  return now >= lock.expires;
}

/** Whether everything that the target names is part of what happens. */
export function matchesTarget(target: LockTarget, { user, roles, sessions, login, node, kubeCluster }: Interaction): boolean {
  return (
    (target.user === undefined || target.user === user) &&
    (target.role === undefined || roles.includes(target.role)) &&
    (target.session === undefined || sessions.includes(target.session)) &&
    (target.login === undefined || target.login === login) &&
    (target.node === undefined || (node?.includes(target.node) ?? false)) &&
    (target.kube_cluster === undefined || target.kube_cluster === kubeCluster)
  );
}

/** Of several locks the one that lasts longest is told; of those that last equally long the first by name. */
function isTold(one: ActiveLock, other: ActiveLock): boolean {
  return one.expires === other.expires ? one.name < other.name : one.expires > other.expires;
}

/** The lock that refuses this, if one does. In whatever order they come, it is the same one. */
export function findLock(locks: Iterable<ActiveLock>, interaction: Interaction, now: number): ActiveLock | undefined {
  let found: ActiveLock | undefined;
  for (const lock of locks) {
    if (hasEnded(lock, now) || !matchesTarget(lock.target, interaction)) continue;
    if (found === undefined || isTold(lock, found)) found = lock;
  }
  return found;
}

/** `user "bo" in Kubernetes cluster "prod"`: a target in words, safe for a terminal. */
export function describeTarget({ user, role, session, login, node, kube_cluster: cluster }: LockTarget): string {
  const words: string[] = [];
  const add = (value: string | undefined, alone: string, after: string, shown = `"${escapeLine((value ?? "").slice(0, 256))}"`): void => {
    if (value !== undefined) words.push(`${words.length === 0 ? alone : after} ${shown}`);
  };
  add(user, "user", "");
  add(role, "role", "with role");
  add(session, "session", "in session", escapeLine((session ?? "").slice(0, 256)));
  add(login, "login", "as login");
  add(node, "node", "on node");
  add(cluster, "Kubernetes cluster", "in Kubernetes cluster");
  return words.join(" ");
}

/** `user "bo" is locked until 2026-11-26T10:15:00Z: laptop stolen (lock 6f0e…)`: what those who are refused are told; one line, safe for a terminal. */
export function describeLock({ name, target, message, expires, unreadable }: ActiveLock): string {
  const what = describeTarget(target);
  const until = Number.isFinite(expires) ? ` until ${new Date(expires).toISOString().replace(".000Z", "Z")}` : "";
  const why = message === undefined || message === "" ? "" : `: ${escapeLine(message.slice(0, 1024))}`;
  const how = unreadable ? `${name}, which this gateway cannot read in full` : name;
  return `${what === "" ? "everything" : what} is locked${until}${why} (lock ${escapeLine(how)})`;
}

/** A lock as the reason of a refusal. */
export function lockReason(lock: ActiveLock): Reason {
  return { effect: "deny", role: implicitRoleName, path: "", line: undefined, text: describeLock(lock), lock: lock.name };
}

/** A decision under locks: refused where one is about it, else as it was. */
export function underLocks(locks: Iterable<ActiveLock>, interaction: Interaction, now: number, decide: () => Decision): Decision {
  const lock = findLock(locks, interaction, now);
  return lock ? { allowed: false, reasons: [lockReason(lock)] } : decide();
}

/** {@link underLocks} for a Kubernetes cluster. */
export function kubeUnderLocks(locks: Iterable<ActiveLock>, interaction: Interaction, now: number, decide: () => KubeDecision): KubeDecision {
  const lock = findLock(locks, interaction, now);
  return lock ? { allowed: false, groups: [], users: [], nodeProxy: false, reasons: [lockReason(lock)] } : decide();
}
