import { createHash } from "node:crypto";
import { findLock } from "../../access/index.ts";
import { connectionKeyId } from "../../ca/index.ts";
import { encodeKrl, parseAuthorizedKey } from "../../formats/index.ts";
import type { Context } from "../context.ts";
import { endOf, lockOf } from "../users.ts";
import type { Session } from "../tables.ts";
import type { Revocations } from "./types.ts";

/** ms that a list is served without looking again: locks end with time alone. */
const freshFor = 1000;

/** What counts no more, from the snapshot alone. */
export function createRevocations({ snapshot, authorities, clock }: Pick<Context, "snapshot" | "authorities" | "clock">): Revocations {
  const { tables } = snapshot;
  let made: { readonly generation: number; readonly at: number; readonly list: ReturnType<Revocations["list"]> } | undefined;

  function isRevoked(id: string, session: Session, now: number): boolean {
    const user = tables.user(session.user);
    if (session.expires <= now || !user || endOf(user) <= now || lockOf(user, now) !== undefined || tables.identity(session.user) !== session.subject) return true;
    const roles = session.roles.filter((role) => user.spec.roles.includes(role));
    return findLock(tables.locks().people, { user: session.user, roles, sessions: [id] }, now) !== undefined;
  }

  function keyIds(now: number): readonly string[] {
    const live = [...tables.sessions()].filter(([id, session]) => isRevoked(id, session, now)).map(([id, { user }]) => connectionKeyId(user, id));
    const ended = [...tables.endedSessions(now)].map(([id, { user }]) => connectionKeyId(user, id));
    return [...new Set([...live, ...ended])].sort();
  }

  function make(now: number): ReturnType<Revocations["list"]> {
    const ids = keyIds(now);
    const hosts = [...tables.revokedHosts()].map((serial) => ({ first: serial, last: serial })).sort((a, b) => (a.first < b.first ? -1 : 1));
    const certificates = [
      ...(ids.length === 0 ? [] : authorities.trust("openssh").sshKeys.map((line) => ({ caKey: parseAuthorizedKey(line).blob, serials: [], keyIds: ids }))),
      ...(hosts.length === 0 ? [] : authorities.trust("host").sshKeys.map((line) => ({ caKey: parseAuthorizedKey(line).blob, serials: hosts, keyIds: [] }))),
    ];
    const encode = (generated: number): Buffer => encodeKrl({ version: BigInt(Math.floor(generated / 1000)), generated, comment: authorities.clusterName, certificates, keys: [] });
    // What is in it tells two lists apart, not when they were made.
    const tag = createHash("sha256").update(encode(0)).digest("hex").slice(0, 32);
    return made?.list.tag === tag ? made.list : { krl: encode(now), tag };
  }

  return {
    list() {
      const now = clock.now();
      if (made?.generation !== snapshot.generation || now - made.at >= freshFor || now < made.at) made = { generation: snapshot.generation, at: now, list: make(now) };
      return made.list;
    },
    isHostRevoked: (serial) => tables.revokedHosts().has(serial),
  };
}
