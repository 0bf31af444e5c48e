import { didYouMean, GatehouseError } from "../base/index.ts";
import { botPrefix, type Lock } from "../resources/index.ts";
import type { Context } from "./context.ts";
import { kinds } from "./records.ts";

/** A lock as it is stored: when it was made, and by whom, is the gateway's to say. Throws `bad_parameter` for one that has ended already. */
export function prepareLock(context: Context, by: string, given: Lock, existing: Lock | undefined): Lock {
  const { target, message, expires } = given.spec;
  const now = context.clock.now();
  if (expires !== undefined && Date.parse(expires) <= now) {
    throw new GatehouseError("bad_parameter", `this lock has ended already: spec.expires is ${expires}`, { hint: "name a time to come, or leave it out for a lock that stays until it is removed" });
  }
  const { created_at = new Date(now).toISOString(), created_by = by } = existing?.spec ?? {};
  return {
    ...given,
    spec: { target, ...(message === undefined ? {} : { message }), ...(expires === undefined ? {} : { expires }), created_at, created_by },
  };
}

/**
 * What an administrator should know of a lock: that what it names is not there. It counts all the same, for people of a connector come and go, and a
 * name may be locked before its bearer first comes.
 */
export async function lockNotes(context: Context, { spec }: Lock): Promise<readonly string[]> {
  const { user, role, node, kube_cluster: cluster } = spec.target;
  const notes: string[] = [];
  if (user?.startsWith(botPrefix)) {
    if (!(await context.store.get("bot", user.slice(botPrefix.length)))) notes.push(`there is no bot "${user.slice(botPrefix.length)}" now; the lock counts for whatever joins by that name`);
  } else if (user !== undefined && !(await context.store.get("user", user)) && !(await context.store.get(kinds.identity, user))) {
    const known = (await context.store.list("user")).map((item) => item.name);
    notes.push(`there is no user "${user}" now${didYouMean(user, known)}; the lock counts for whoever comes by that name`);
  }
  if (role !== undefined && !(await context.store.get("role", role))) {
    const known = (await context.store.list("role")).map((item) => item.name);
    notes.push(`there is no role "${role}" now${didYouMean(role, known)}`);
  }
  if (node !== undefined) {
    const known = context.snapshot.tables.nodes().flatMap(({ id, hostname }) => [hostname, id]);
    if (!known.includes(node)) notes.push(`there is no node "${node}" now${didYouMean(node, known)}`);
  }
  const clusters = context.kubeClusters().map(({ name }) => name);
  if (cluster !== undefined && !clusters.includes(cluster)) notes.push(`this gateway has no Kubernetes cluster "${cluster}"${didYouMean(cluster, clusters)}`);
  return notes;
}

/** What the audit log is told of a lock besides. */
export function lockFields({ spec }: Lock): { readonly target: Readonly<Record<string, string | undefined>>; readonly message: string | undefined; readonly expires: string | undefined } {
  const { target, message, expires } = spec;
  return { target: { ...target }, message, expires };
}
