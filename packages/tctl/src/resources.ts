import type { AdminClient, AdminItems } from "@gatehouse/core/api";
import { GatehouseError, describeDuration, didYouMean, systemClock } from "@gatehouse/core/base";
import { activeLock, findLock, type ActiveLock } from "@gatehouse/core/access";
import { durationFlag } from "@gatehouse/core/client/command";
import { describeTime, formatTable } from "@gatehouse/core/client/terminal";
import { lockTable } from "./locks.ts";
import { expiryOf, formatResources, parseRef, parseResource, type Connector, type Bot, type Lock, type Node, type ProvisionToken, type Resource, type ResourceRef, type User } from "@gatehouse/core/resources";

/** A resource with the revision that it was read at. */
export interface ReadResource {
  readonly resource: Resource;
  readonly revision: number;
  /** Of a token: hex of its digest. */
  readonly id?: string | undefined;
}

/** The gateway's answer as resources. */
export function readItems(items: AdminItems["items"]): readonly ReadResource[] {
  return items.map(({ resource, revision, id }) => ({ resource: parseResource(resource, { redacted: true }), revision, ...(id === undefined ? {} : { id }) }));
}

/** A reference from the words of a command line: `roles/admin`, or `roles admin`. Throws `usage`. */
export function refFromWords(words: readonly string[]): ResourceRef {
  try {
    return parseRef(words.join(" "));
  } catch (error) {
    if (!(error instanceof GatehouseError)) throw error;
    throw new GatehouseError("usage", error.message, { hint: error.hint, cause: error });
  }
}

/** A reference that names one resource. Throws `usage` for one that does not. */
export function oneRef(words: readonly string[]): ResourceRef & { readonly name: string } {
  const ref = refFromWords(words);
  if (ref.name === undefined) throw new GatehouseError("usage", `"${words.join(" ")}" does not name one resource`, { hint: "write it as kind/name, such as roles/admin" });
  return { ...ref, name: ref.name };
}

const plurals: Readonly<Record<ResourceRef["kind"], string>> = { role: "roles", user: "users", github: "connectors", oidc: "connectors", saml: "connectors", connectors: "connectors", cluster_auth_preference: "cap", token: "tokens", lock: "locks", bot: "bots", node: "nodes" };

/** A kind as `tctl get` lists it. */
export const plural = (kind: ResourceRef["kind"]): string => plurals[kind];

/** Does something to one resource; where there is none of that name, the error says which one may have been meant, and how to list them. */
export async function withNearest<T>(admin: AdminClient, ref: ResourceRef, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof GatehouseError) || error.code !== "not_found" || ref.name === undefined || ref.kind === "token") throw error;
    // Who may not list them is told of no name.
    const items = await admin.get({ kind: ref.kind }, false).catch(() => []);
    const names = readItems(items).map(({ resource }) => resource.metadata.name);
    throw new GatehouseError("not_found", `${error.message}${didYouMean(ref.name, names)}`, { hint: error.hint ?? `tctl get ${plural(ref.kind)} lists them`, id: error.id, cause: error });
  }
}

/** `admin.get`, with {@link withNearest}. */
export const getNamed = (admin: AdminClient, ref: ResourceRef, withSecrets: boolean): Promise<AdminItems["items"]> => withNearest(admin, ref, () => admin.get(ref, withSecrets));

/** JSON of several resources is an array however many they are. */
export function resourcesToJson(resources: readonly Resource[], withSecrets: boolean): string {
  if (resources.length !== 1) return formatResources(resources, "json", { withSecrets });
  return `[\n${formatResources(resources, "json", { withSecrets }).trimEnd().replace(/^/gm, "  ")}\n]\n`;
}

const list = (values: readonly string[]): string => (values.length === 0 ? "-" : values.join(", "));
const until = (resource: Resource): string => {
  const expiry = expiryOf(resource);
  return expiry === undefined ? "never" : describeTime(Date.parse(expiry.time), systemClock.now());
};

/** What a connector's mapping names. */
function mapped(connector: Connector): readonly string[] {
  switch (connector.kind) {
    case "github":
      return [...connector.spec.teams_to_logins, ...connector.spec.teams_to_roles].map(({ organization, team }) => `${organization}/${team ?? "*"}`);
    case "oidc":
      return connector.spec.claims_to_roles.map(({ claim, value }) => `${claim}=${value}`);
    case "saml":
      return connector.spec.attributes_to_roles.map(({ name, value }) => `${name}=${value}`);
  }
}

/** Resources of one kind as a table for people. */
export function resourceTable(resources: readonly Resource[]): string {
  const roles = resources.filter((resource) => resource.kind === "role");
  const users = resources.filter((resource) => resource.kind === "user");
  const connectors = resources.filter((resource) => resource.kind === "github" || resource.kind === "oidc" || resource.kind === "saml");
  const tokens = resources.filter((resource) => resource.kind === "token");
  const bots = resources.filter((resource) => resource.kind === "bot");
  const locks = resources.filter((resource) => resource.kind === "lock");
  const nodes = resources.filter((resource) => resource.kind === "node");
  const preferences = resources.filter((resource) => resource.kind === "cluster_auth_preference");
  const tables = [
    roles.length > 0 &&
      formatTable(
        ["ROLE", "LOGINS", "KUBERNETES GROUPS", "RULES", "LONGEST LOGIN"],
        roles.map(({ metadata, spec }) => [metadata.name, list(spec.allow.logins), list(spec.allow.kubernetes_groups), String(spec.allow.rules.length), describeDuration(spec.options.max_session_ttl)]),
      ),
    users.length > 0 && userTable(users),
    connectors.length > 0 &&
      formatTable(
        ["CONNECTOR", "KIND", "DISPLAY", "MAPS"],
        connectors.map((connector) => [connector.metadata.name, connector.kind, connector.spec.display, list(mapped(connector))]),
      ),
    tokens.length > 0 && tokenTable(tokens.map((resource) => ({ resource }))),
    bots.length > 0 && botTable(bots),
    locks.length > 0 && lockTable(locks),
    nodes.length > 0 && nodeTable(nodes),
    preferences.length > 0 &&
      formatTable(["TYPE", "SECOND FACTOR", "CONNECTOR"], preferences.map(({ spec }) => [spec.type, spec.second_factor, spec.connector_name ?? "-"])),
  ];
  return tables.filter((table) => table !== false).join("\n");
}

/** Bots as a table. */
export function botTable(bots: readonly Bot[]): string {
  return formatTable(
    ["BOT", "ROLES", "LOGINS", "KUBERNETES GROUPS", "LONGEST LOGIN", "EXPIRES"],
    bots.map((bot) => [bot.metadata.name, list(bot.spec.roles), list(bot.spec.traits["logins"] ?? []), list(bot.spec.traits["kubernetes_groups"] ?? []), describeDuration(bot.spec.max_ttl === 0 ? 3_600_000 : bot.spec.max_ttl), until(bot)]),
  );
}

/** Hosts as a table. */
export function nodeTable(nodes: readonly Node[]): string {
  return formatTable(
    ["NODE", "ID", "ADDRESS", "LABELS", "HOST KEY"],
    nodes.map(({ metadata, spec }) => [spec.hostname, metadata.name, spec.addr, list(Object.entries(metadata.labels ?? {}).map(([key, value]) => `${key}=${value}`)), spec.host_key ?? "-"]),
  );
}

/** A token, and its id where the gateway says it: hex of its digest. */
export interface ListedToken {
  readonly resource: ProvisionToken;
  readonly id?: string | undefined;
}

/** Characters of a token's id that are shown, and that `tctl tokens rm` takes. */
export const shownId = 12;

/** Tokens as a table. */
export function tokenTable(tokens: readonly ListedToken[]): string {
  return formatTable(
    ["TOKEN", "ID", "FOR", "METHOD", "ALLOWED", "EXPIRES"],
    tokens.map(({ resource: token, id }) => [
      token.metadata.name,
      id?.slice(0, shownId) ?? "-",
      token.spec.node_names !== undefined ? `hosts ${token.spec.node_names.join(", ")}` : token.spec.bot_name === undefined ? list(token.spec.roles) : `bot ${token.spec.bot_name}`,
      token.spec.join_method ?? "-",
      token.spec.node_labels !== undefined ? Object.entries(token.spec.node_labels).map(([key, value]) => `${key}=${value}`).join(", ") : token.spec.allow === undefined ? "-" : token.spec.allow.map((rule) => Object.entries(rule).map(([key, values]) => `${key}=${values.join("|")}`).join(",")).join("; "),
      until(token),
    ]),
  );
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

/** ms that a sign-up link lives. Throws `usage`. */
export function inviteTtl(text: string): number {
  return durationFlag("--ttl", text, { min: 60_000, max: 48 * 3_600_000, words: "1 min to 48 h" });
}
