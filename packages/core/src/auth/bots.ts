import { botUserName, type ProvisionToken, type User } from "../resources/index.ts";
import type { Operation, StoredItem } from "../store/index.ts";
import type { Context } from "./context.ts";
import { readBot, readToken } from "./stored-resources.ts";
import { deletionsOfSessions, sessionDeletions } from "./user-change.ts";

/** A stored bot as the user that it logs in as. */
export function asUser(item: StoredItem): User {
  const { metadata, spec } = readBot(item);
  return { kind: "user", version: "v2", metadata: { ...metadata, name: botUserName(metadata.name) }, spec: { roles: spec.roles, traits: spec.traits } };
}

/** Who a bot's sessions are of. The name is the bot's for good: with the bot go its sessions. */
export const botSubject = botUserName;

/** What goes in one transaction with a bot. */
export function botDeletions(context: Context, name: string): Promise<readonly Operation[]> {
  return sessionDeletions(context, botUserName(name));
}

/** What goes in one transaction with a token: the sessions that began with it. Only tokens whose name is no secret are known to sessions. */
export function joinedDeletions(context: Context, name: string): Promise<readonly Operation[]> {
  return deletionsOfSessions(context, ({ method, connector }) => method === "join" && connector === name);
}

/** Characters of a token's id that tell it from others. */
const leastId = 8;

/** A token by its id, which is the beginning of its digest: how one is named whose name nobody knows any more. Undefined for none, and for several. */
export async function findTokenById({ store }: Context, id: string): Promise<StoredItem | undefined> {
  if (id.length < leastId || !/^[0-9a-f]{8,64}$/.test(id)) return undefined;
  const found = (await store.list("token")).filter(({ name }) => name.startsWith(id));
  return found.length === 1 ? found[0] : undefined;
}

/** What an administrator should know of a token that was stored. */
export async function tokenNotes({ store }: Context, token: ProvisionToken): Promise<readonly string[]> {
  const { bot_name: bot } = token.spec;
  return bot === undefined || (await store.get("bot", bot)) ? [] : [`there is no bot "${bot}" yet: nobody can join with this token before there is`];
}

/** The tokens of a bot, as they are stored. */
export async function tokensOf({ store }: Context, bot: string): Promise<readonly StoredItem[]> {
  return (await store.list("token")).filter((item) => readToken(item).spec.bot_name === bot);
}
