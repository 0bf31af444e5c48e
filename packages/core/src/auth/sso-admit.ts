import type { SshLoginResponse } from "../api/index.ts";
import { GatehouseError } from "../base/index.ts";
import { checkPins, type Vouched } from "../connectors/index.ts";
import type { Traits } from "../resources/index.ts";
import type { Operation } from "../store/index.ts";
import type { Context } from "./context.ts";
import { Overtaken, issueSession, raceCodes } from "./issue.ts";
import type { ConnectorInUse } from "./sso-providers.ts";
import { appointedEnd, findStanding, userOperations, type ExternalPerson } from "./sso-user.ts";
import type { RequestOrigin } from "./types.ts";
import { refuseLocked } from "./users.ts";

const maxTries = 5;

/** Somebody whom a connector vouches for, and what it gives them. */
export interface VouchedPerson {
  readonly person: ExternalPerson;
  /** Of the connector, when it vouched for them: they are let in while it is still that. */
  readonly revision: number;
  readonly roles: readonly string[];
  readonly traits: Traits;
}

/** What certificates are for. `ttl` in ms. */
export interface SessionWish {
  readonly publicKey: string;
  readonly ttl: number;
  readonly compatibility: string;
  /** Id of the request that was approved in a browser elsewhere, where it was. */
  readonly headless?: string | undefined;
}

/** The connector that a login goes through is not the one any more that vouched for the person. */
class ConnectorChanged extends GatehouseError {
  constructor(name: string, cause: GatehouseError) {
    super("compare_failed", `connector "${name}" was changed by an administrator during this login`, { hint: "log in again: tsh login", cause });
  }
}

const stillThat = ({ person, revision }: VouchedPerson): Operation => ({ op: "check", kind: person.type, name: person.connector, expect: revision });

async function isChanged(context: Context, { person, revision }: VouchedPerson): Promise<boolean> {
  return (await context.store.get(person.type, person.connector))?.revision !== revision;
}

/** Checks what the connector says of somebody: that its names are still of whom they were, and that they get anything. Throws why not. */
export async function vouchFor(context: Context, { connector, revision }: ConnectorInUse, found: Vouched): Promise<VouchedPerson> {
  const { roles, traits, problem } = found.mapping;
  const vouched: VouchedPerson = { person: { type: connector.kind, connector: connector.metadata.name, name: found.name, id: found.id }, revision, roles, traits };
  if (connector.kind === "github") await checkPins(context.store, connector, found.memberships ?? { teams: [] }, [stillThat(vouched)]);
  if (problem) throw problem;
  return vouched;
}

/** Signs the person in; two logins of one person at the same moment both succeed. `known` is told their user name before anything of theirs is refused. */
export async function admit(context: Context, vouched: VouchedPerson, wish: SessionWish, origin: RequestOrigin, known: (user: string) => void): Promise<SshLoginResponse> {
  const { person, roles, traits } = vouched;
  for (let tries = 1; ; tries++) {
    const standing = await findStanding(context, person);
    const now = context.clock.now();
    const { username } = standing;
    known(username);
    if (standing.user) refuseLocked(standing.user, now);
    try {
      return await issueSession(context, {
        username,
        externalName: person.name,
        subjectId: standing.subject,
        roles,
        traits,
        publicKey: wish.publicKey,
        ttl: Math.min(wish.ttl, appointedEnd(standing) - now),
        compatibility: wish.compatibility,
        method: person.type,
        connector: person.connector,
        origin,
        headless: wish.headless,
        alongside: (expires) => [stillThat(vouched), ...userOperations(person, standing, { roles, traits }, now, expires)],
      });
    } catch (error) {
      if (!(error instanceof Overtaken) || tries >= maxTries || (await isChanged(context, vouched))) throw error;
    }
  }
}

/** Does what needs the connector to be still as it was when it vouched for the person. Throws {@link ConnectorChanged}. */
export async function admitUnchanged<T>(context: Context, { connector, revision }: ConnectorInUse, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const isRace = error instanceof GatehouseError && raceCodes.includes(error.code);
    const changed = isRace && (await context.store.get(connector.kind, connector.metadata.name))?.revision !== revision;
    throw changed ? new ConnectorChanged(connector.metadata.name, error) : error;
  }
}
