import type { AdminClient, AdminItems, RecordingItem, SessionItem } from "../../api/index.ts";
import { GatehouseError } from "../../base/index.ts";
import type { Name, NameKind } from "../completion/index.ts";
import { commandWords, describePlace } from "../recordings/index.ts";

/** Names by kind. */
export type FoundNames = Partial<Record<NameKind, readonly Name[]>>;

/** Recordings that are named: the latest. */
const recordings = 200;

type Fetched = () => Promise<FoundNames>;

function sessionNote(item: SessionItem | RecordingItem): string {
  const what = item.kind === "unknown" ? "" : `${item.kind} ${describePlace({ ...item, container: "" })} ${commandWords(item)}`.trimEnd();
  return `${new Date(item.started).toISOString().slice(0, 16).replace("T", " ")} ${item.user} ${what}`;
}

const sessions = (admin: AdminClient): Fetched => async () => ({ session: (await admin.sessions()).map((item) => ({ name: item.sid, note: sessionNote(item) })) });

/** What somebody may not list has no names here; anything else that fails is thrown. */
async function gather(fetched: Readonly<Partial<Record<NameKind, Fetched>>>, kinds: readonly NameKind[]): Promise<FoundNames> {
  const wanted = [...new Set(kinds.map((kind) => [kind, fetched[kind]] as const))];
  const all = await Promise.all(
    wanted.map(async ([kind, fetch]): Promise<FoundNames> => {
      try {
        return fetch === undefined ? {} : await fetch();
      } catch (error) {
        if (error instanceof GatehouseError && (error.code === "access_denied" || error.code === "not_found")) return { [kind]: [] };
        throw error;
      }
    }),
  );
  return Object.assign({}, ...all) as FoundNames;
}

/** Names that concern a person: where they may log in, their clusters, recordings and sessions that they may list. Throws `unavailable`, `unauthenticated`. */
export async function fetchPersonNames(admin: AdminClient, kinds: readonly NameKind[]): Promise<FoundNames> {
  const account: Fetched = async () => {
    const { logins, kubernetes } = await admin.whoami();
    return { login: logins.map((name) => ({ name })), cluster: kubernetes.clusters.filter(({ groups }) => groups.length > 0).map(({ name }) => ({ name })) };
  };
  return gather(
    {
      node: async () => ({ node: (await admin.nodes()).map(({ hostname, logins }) => ({ name: hostname, logins })) }),
      login: account,
      cluster: account,
      recording: async () => ({ recording: (await admin.recordings({ limit: recordings })).map((item) => ({ name: item.sid, note: sessionNote(item) })) }),
      session: sessions(admin),
    },
    kinds,
  );
}

const fieldOf = (value: unknown, ...path: readonly string[]): unknown => path.reduce<unknown>((at, key) => (typeof at === "object" && at !== null ? (at as Record<string, unknown>)[key] : undefined), value);
const textOf = (value: unknown): string => (typeof value === "string" ? value : "");

type Item = AdminItems["items"][number];
const nameOf = ({ resource }: Item): string => textOf(fieldOf(resource, "metadata", "name"));

/** Names that concern an administrator: resources as they are stored. Of tokens the ids alone: their names let machines in. Throws as {@link fetchPersonNames}. */
export async function fetchAdminNames(admin: AdminClient, kinds: readonly NameKind[]): Promise<FoundNames> {
  const plain = (kind: "role" | "user" | "bot" | "lock" | "github" | "oidc" | "saml"): Fetched => async () => ({ [kind]: (await admin.get({ kind }, false)).map((item) => ({ name: nameOf(item), note: kind === "lock" ? textOf(fieldOf(item.resource, "spec", "message")) : undefined })) });
  const nodes: Fetched = async () => {
    const items = await admin.get({ kind: "node" }, false);
    const hostname = ({ resource }: Item): string => textOf(fieldOf(resource, "spec", "hostname"));
    return { node: items.map((item) => ({ name: hostname(item) })), "node-id": items.map((item) => ({ name: nameOf(item), note: hostname(item) })) };
  };
  return gather(
    {
      role: plain("role"),
      user: plain("user"),
      bot: plain("bot"),
      lock: plain("lock"),
      github: plain("github"),
      oidc: plain("oidc"),
      saml: plain("saml"),
      connector: async () => ({ connector: (await admin.get({ kind: "connectors" }, false)).map((item) => ({ name: nameOf(item), note: textOf(item.resource["kind"]) })) }),
      token: async () => ({ token: (await admin.get({ kind: "token" }, false)).flatMap(({ id }) => (id === undefined ? [] : [{ name: id.slice(0, 12) }])) }),
      node: nodes,
      "node-id": nodes,
      cluster: async () => ({ cluster: (await admin.status()).kubernetes.map(({ name }) => ({ name })) }),
      session: sessions(admin),
    },
    kinds,
  );
}
