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
  if (username.startsWith("system:")) throw new Refusal(403, `the name ${JSON.stringify(username)} belongs to Kubernetes itself and is not impersonated`);
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
  readonly groups: readonly string[];
  readonly headers: readonly string[];
}

/**
 * Applies `kubectl --as` and `--as-group`: one's own name, and fewer of one's own groups. Throws {@link Refusal} for anyone else, for
 * groups one does not have, and for every other `Impersonate-*` header.
 */
export function narrow(connection: Connection, principal: Principal, asked: readonly (readonly [string, string])[]): Impersonated {
  let user: string | undefined;
  const groups: string[] = [];
  const own = principal.identity.username;
  for (const [name, raw] of asked) {
    const value = Buffer.from(raw, "latin1").toString("utf8");
    if (name === "impersonate-user") {
      if (value !== own || user !== undefined) throw new Refusal(403, `${own} may not impersonate user ${JSON.stringify(value)}: the gateway lets people impersonate themselves alone`);
      user = value;
    } else if (name === "impersonate-group") {
      if (!principal.groups.includes(value)) throw new Refusal(403, `${own} may not impersonate group ${JSON.stringify(value)}: it is not among their groups in this cluster`);
      if (!groups.includes(value)) groups.push(value);
    } else {
      throw new Refusal(403, `${own} may not impersonate with the header ${JSON.stringify(name)}: the gateway takes a user and groups alone, no uid and no extra fields`);
    }
  }
  if (user === undefined) throw new Refusal(403, `impersonating a group needs a user too: add --as=${own}`);
  if (groups.length === 0) return principal;
  if (!groups.includes(authenticated)) groups.push(authenticated);
  return { groups, headers: connection.impersonate(own, groups) };
}
