import { authenticated } from "./connection.ts";
import type { Connection, Principal } from "./connection.ts";
import { Refusal } from "./status.ts";

// HTTP drops white space around a value, so " system:masters" would arrive as another group than the one decided about.
const unfitForHeader = /[\u0000-\u001f\u007f]|^\s|\s$|^$/u;

/**
 * Raw header pairs that impersonate a person, and name the address they came from. Throws {@link Refusal} for names that would not arrive
 * as they were decided about.
 */
export function impersonationHeaders(username: string, groups: readonly string[], ip: string): string[] {
  if (username.toLowerCase().startsWith("system:")) throw new Refusal(403, `the name ${JSON.stringify(username)} belongs to Kubernetes itself and is not impersonated`);
  const pairs = ["Impersonate-User", headerText(username)];
  for (const group of groups) pairs.push("Impersonate-Group", headerText(group));
  if (ip !== "") pairs.push("X-Forwarded-For", ip);
  return pairs;
}

/** UTF-8 bytes as the characters that Node writes one byte each for. */
function headerText(name: string): string {
  if (unfitForHeader.test(name)) throw new Refusal(403, `the name ${JSON.stringify(name)} cannot be impersonated: it has characters that a header does not carry`);
  return Buffer.from(name, "utf8").toString("latin1");
}

/** What a request is forwarded as. */
export interface Impersonated {
  readonly user: string;
  readonly groups: readonly string[];
  readonly headers: readonly string[];
}

/**
 * As whom a request goes on. `asked` are the client's `Impersonate-*` headers, which `kubectl --as` and `--as-group` send: one of the user names that the person
 * may have, and fewer of their own groups. Throws {@link Refusal} for anyone else, for groups one does not have, for every other such header, and
 * where one of several users has to be chosen and none is.
 */
export function impersonate(connection: Connection, principal: Principal, asked: readonly (readonly [string, string])[]): Impersonated {
  const { identity, usual, users } = principal;
  const own = identity.username;
  let user: string | undefined;
  const groups: string[] = [];
  for (const [name, raw] of asked) {
    const value = Buffer.from(raw, "latin1").toString("utf8");
    if (name === "impersonate-user") {
      if (user !== undefined || !users.includes(value)) throw new Refusal(403, `${own} may not impersonate user ${JSON.stringify(value)}: ${mayBe(own, users)}`);
      user = value;
    } else if (name === "impersonate-group") {
      if (!principal.groups.includes(value)) throw new Refusal(403, `${own} may not impersonate group ${JSON.stringify(value)}: it is not among their groups in this cluster`);
      if (!groups.includes(value)) groups.push(value);
    } else {
      throw new Refusal(403, `${own} may not impersonate with the header ${JSON.stringify(name)}: the gateway takes a user and groups alone, no uid and no extra fields`);
    }
  }
  if (user === undefined) {
    if (asked.length > 0) throw new Refusal(403, `impersonating a group needs a user too: add ${users.length === 1 ? `--as=${users[0] ?? ""}` : `--as with one of ${listed(users)}`}`);
    if (usual === undefined) throw new Refusal(403, `${own} may be any of several users in cluster "${connection.clusterName}": choose one with --as (${listed(users)})`);
    return usual;
  }
  if (groups.length === 0) return usual ?? connection.impersonate(user, principal.groups);
  if (!groups.includes(authenticated)) groups.push(authenticated);
  return connection.impersonate(user, groups);
}

function mayBe(own: string, users: readonly string[]): string {
  if (users.length === 1 && users[0] === own) return "the gateway lets people impersonate themselves alone, where no role gives them another user name";
  return `in this cluster their roles give ${users.length === 1 ? "one user name" : "these user names"}: ${listed(users)}`;
}

/** Names told in a refusal. */
const maxListed = 20;

function listed(users: readonly string[]): string {
  const names = users.slice(0, maxListed).map((user) => JSON.stringify(user));
  return `${names.join(", ")}${users.length > maxListed ? ` and ${String(users.length - maxListed)} more` : ""}`;
}
