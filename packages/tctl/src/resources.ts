import type { AdminItems } from "@gatehouse/core/api";
import { GatehouseError, describeDuration, formatDuration, systemClock } from "@gatehouse/core/base";
import { activeLock, findLock, type ActiveLock } from "@gatehouse/core/access";
import { formatTable } from "@gatehouse/core/client/terminal";
import { lockTable } from "./locks.ts";
import { expiryOf, formatResources, parseRef, parseResource, type Lock, type Resource, type ResourceRef, type User } from "@gatehouse/core/resources";

/** A resource with the revision that it was read at. */
export interface ReadResource {
  readonly resource: Resource;
  readonly revision: number;
}

/** The gateway's answer as resources. */
export function readItems(items: AdminItems["items"]): readonly ReadResource[] {
  return items.map(({ resource, revision }) => ({ resource: parseResource(resource, { redacted: true }), revision }));
}

/** A reference from the words of a command line: `roles/admin`, or `roles admin`. */
export function refFromWords(words: readonly string[]): ResourceRef {
  return parseRef(words.join(" "));
}

/** A reference that names one resource. Throws `usage` for one that does not. */
export function oneRef(words: readonly string[]): ResourceRef & { readonly name: string } {
  const ref = refFromWords(words);
  if (ref.name === undefined) throw new GatehouseError("usage", `"${words.join(" ")}" does not name one resource`, { hint: "write it as kind/name, such as roles/admin" });
  return { ...ref, name: ref.name };
}

/** JSON of several resources is an array however many they are. */
export function resourcesToJson(resources: readonly Resource[], withSecrets: boolean): string {
  if (resources.length !== 1) return formatResources(resources, "json", { withSecrets });
  return `[\n${formatResources(resources, "json", { withSecrets }).trimEnd().replace(/^/gm, "  ")}\n]\n`;
}

const list = (values: readonly string[]): string => (values.length === 0 ? "-" : values.join(", "));
const until = (resource: Resource): string => expiryOf(resource)?.time ?? "never";

/** Resources of one kind as a table for people. */
export function resourceTable(resources: readonly Resource[]): string {
  const roles = resources.filter((resource) => resource.kind === "role");
  const users = resources.filter((resource) => resource.kind === "user");
  const connectors = resources.filter((resource) => resource.kind === "github");
  const tokens = resources.filter((resource) => resource.kind === "token");
  const locks = resources.filter((resource) => resource.kind === "lock");
  const preferences = resources.filter((resource) => resource.kind === "cluster_auth_preference");
  const tables = [
    roles.length > 0 &&
      formatTable(
        ["ROLE", "LOGINS", "KUBERNETES GROUPS", "RULES", "LONGEST LOGIN"],
        roles.map(({ metadata, spec }) => [metadata.name, list(spec.allow.logins), list(spec.allow.kubernetes_groups), String(spec.allow.rules.length), formatDuration(spec.options.max_session_ttl)]),
      ),
    users.length > 0 && userTable(users),
    connectors.length > 0 &&
      formatTable(
        ["CONNECTOR", "KIND", "DISPLAY", "TEAMS"],
        connectors.map(({ metadata, spec }) => [metadata.name, "github", spec.display, list([...spec.teams_to_logins, ...spec.teams_to_roles].map(({ organization, team }) => `${organization}/${team}`))]),
      ),
    tokens.length > 0 && formatTable(["TOKEN", "ROLES", "EXPIRES"], tokens.map((token) => [token.metadata.name, list(token.spec.roles), until(token)])),
    locks.length > 0 && lockTable(locks),
    preferences.length > 0 &&
      formatTable(["TYPE", "SECOND FACTOR", "CONNECTOR"], preferences.map(({ spec }) => [spec.type, spec.second_factor, spec.connector_name ?? "-"])),
  ];
  return tables.filter((table) => table !== false).join("\n");
}

/** Why somebody cannot come in, and until when. */
export interface UserLock {
  /** Name of the lock; absent where the user's own record says it. */
  readonly lock?: string | undefined;
  /** RFC 3339; absent: until somebody lifts it. */
  readonly until?: string | undefined;
}

/** The lock that keeps a user out now, by their record or by one on them or a role of theirs. */
export function lockOfUser({ metadata, spec }: User, locks: readonly Lock[], now: number): UserLock | undefined {
  const found = findLock(locks.map(activeLock), { user: metadata.name, roles: spec.roles, sessions: [] }, now);
  if (found) return { lock: found.name, until: endOf(found) };
  const { status } = spec;
  if (status?.is_locked !== true) return undefined;
  const until = status.lock_expires;
  return until !== undefined && Date.parse(until) <= now ? undefined : { until };
}

function endOf({ expires }: ActiveLock): string | undefined {
  return Number.isFinite(expires) ? new Date(expires).toISOString() : undefined;
}

/** Users as a table. */
export function userTable(users: readonly User[], locks: readonly Lock[] = [], now = systemClock.now()): string {
  const origin = (user: User): string => {
    const connector = user.spec.created_by?.connector;
    return connector === undefined ? "local" : `${connector.type} ${connector.id}`;
  };
  const locked = (user: User): string => {
    const lock = lockOfUser(user, locks, now);
    return lock === undefined ? "-" : lock.until === undefined ? "yes" : `until ${lock.until}`;
  };
  return formatTable(
    ["USER", "ROLES", "LOGINS", "KUBERNETES GROUPS", "FROM", "EXPIRES", "LOCKED"],
    users.map((user) => [user.metadata.name, list(user.spec.roles), list(user.spec.traits["logins"] ?? []), list(user.spec.traits["kubernetes_groups"] ?? []), origin(user), until(user), locked(user)]),
  );
}

/** ` (1 h)`-like description of when an invite ends, for people. */
export function inviteEnds(expires: number, now: number): string {
  return `${new Date(expires).toISOString()}, in ${describeDuration(Math.max(0, Math.round((expires - now) / 60_000) * 60_000))}`;
}
