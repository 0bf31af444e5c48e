import { z } from "zod";
import { GatehouseError } from "../../base/index.ts";
import type { GithubConnector } from "../../resources/index.ts";
import type { Operation, Store, StoredItem } from "../../store/index.ts";
import type { GithubMemberships } from "../types.ts";
import { mappedMemberships } from "./map-teams.ts";
import { quote } from "../quote.ts";

/** Which id an organization or a team of a connector's mapping had when it was first used. */
const kind = "github_pin";
const pinRecord = z.strictObject({ id: z.int().positive() });
const maxTries = 5;

/** A name as the mapping has it: an organization, or a team in one. */
interface Pin {
  readonly organization: string;
  readonly team?: string | undefined;
}

interface PinnedId extends Pin {
  readonly id: number;
}

/** Slashes are in no GitHub name, so these names cannot meet; a connector's own may hold some and is escaped. */
const prefix = (connector: string): string => `${encodeURIComponent(connector)}/`;
const pinName = (connector: string, pin: Pin): string =>
  prefix(connector) + [pin.organization, ...(pin.team === undefined ? [] : [pin.team])].map(encodeURIComponent).join("/");

function idsOf({ teams, organizations = [] }: GithubMemberships): PinnedId[] {
  return [
    ...organizations.map(({ organization, organizationId }) => ({ organization, id: organizationId })),
    ...teams.flatMap(({ organization, organizationId, team, teamId }) => [
      { organization, id: organizationId },
      { organization, team, id: teamId },
    ]),
  ];
}

/** The refusal of a name that came back with another id. */
export class PinMismatch extends GatehouseError {
  constructor(connector: string, pin: PinnedId, known: number) {
    const what = pin.team === undefined ? `organization ${quote(pin.organization)}` : `team ${quote(`${pin.organization}/${pin.team}`)}`;
    super("access_denied", `${what} is not the one that connector "${connector}" knows by that name: GitHub reports id ${pin.id}, it was ${known}`, {
      hint: `if that is meant, an administrator takes it out of connector "${connector}" and puts it back`,
    });
  }
}

/**
 * What pins the ids of the mapped teams and organizations among these, and of the teams' organizations, that are not pinned yet. Throws {@link PinMismatch}
 * (`access_denied`) where a name has another id than it had at first use: whoever took the name over gets nothing by it.
 */
export async function comparePins(store: Store, connector: GithubConnector, memberships: GithubMemberships): Promise<readonly Operation[]> {
  const { name } = connector.metadata;
  const wanted = new Map<string, PinnedId>();
  for (const pin of idsOf(mappedMemberships(connector, memberships))) {
    const key = pinName(name, pin);
    const other = wanted.get(key);
    if (other && other.id !== pin.id) throw new PinMismatch(name, pin, other.id);
    wanted.set(key, pin);
  }
  const fresh: Operation[] = [];
  for (const [key, pin] of wanted) {
    const stored = await store.get(kind, key);
    if (!stored) fresh.push({ op: "put", kind, name: key, value: JSON.stringify({ id: pin.id } satisfies z.infer<typeof pinRecord>), expect: "absent" });
    else if (readPin(stored) !== pin.id) throw new PinMismatch(name, pin, readPin(stored));
  }
  return fresh;
}

/** Pins what {@link comparePins} finds. Pins nothing unless `conditions` hold, and throws what the store says of that, or as that does. */
export async function checkPins(store: Store, connector: GithubConnector, memberships: GithubMemberships, conditions: readonly Operation[] = []): Promise<void> {
  for (let tries = 1; ; tries++) {
    const fresh = await comparePins(store, connector, memberships);
    if (fresh.length === 0) return;
    try {
      await store.transact([...conditions, ...fresh]);
      return;
    } catch (error) {
      // Another login pinned one of them first: its id is what counts now.
      if (!(error instanceof GatehouseError) || error.code !== "already_exists" || tries >= maxTries) throw error;
    }
  }
}

function readPin(item: StoredItem): number {
  return pinRecord.parse(JSON.parse(item.value)).id;
}

/** Deletions of the pins that the connector, as it will be, maps no more; all of them where it is going. */
export async function stalePins(store: Store, connectorName: string, next: GithubConnector | undefined): Promise<readonly Operation[]> {
  const mappings = next ? [...next.spec.teams_to_logins, ...next.spec.teams_to_roles] : [];
  const kept = new Set(mappings.flatMap(({ organization, team }) => [pinName(connectorName, { organization }), pinName(connectorName, { organization, team })]));
  const items = await store.list(kind);
  return items
    .filter((item) => item.name.startsWith(prefix(connectorName)) && !kept.has(item.name))
    .map((item) => ({ op: "delete", kind, name: item.name }));
}
