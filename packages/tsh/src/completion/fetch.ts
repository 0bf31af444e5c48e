import { systemClock } from "@gatehouse/core/base";
import { clientHome, connectWeb, knownAuthorities, openSession, parseProxyAddress, profileName } from "@gatehouse/core/client";
import { keepNames, type Name, type NameKind } from "@gatehouse/core/client/completion";
import { fetchPersonNames, readFetchWords, type FoundNames } from "@gatehouse/core/client/names";

/** The connectors that a gateway tells to everybody: the ones that it logs people in by when they name none. */
async function connectors(proxy: string): Promise<readonly Name[]> {
  const address = parseProxyAddress(proxy);
  const { auth } = await connectWeb(address, await knownAuthorities(clientHome(process.env), profileName(address), process.env)).web.ping();
  const named = (["github", "oidc", "saml"] as const).flatMap((kind): Name[] => (auth[kind] === undefined ? [] : [{ name: auth[kind].name, note: auth[kind].display }]));
  return [...named, { name: "local", note: "a local account" }];
}

async function fetchNames(kinds: readonly NameKind[], flags: Readonly<Record<string, string>>): Promise<FoundNames> {
  const { proxy } = flags;
  const asked = kinds.filter((kind) => kind !== "connector");
  const known: FoundNames = kinds.includes("connector") && proxy !== undefined ? { connector: await connectors(proxy) } : {};
  if (asked.length === 0) return known;
  const { admin } = await openSession(process.env, { proxy, identity: flags["identity"] }, systemClock.now());
  return { ...known, ...(await fetchPersonNames(admin, asked)) };
}

/** `tsh __names`, which completion runs beside itself: asks the gateway for names and keeps them. Returns the exit code. */
export async function fetchAndKeep(args: readonly string[]): Promise<number> {
  const { key, kinds, flags } = readFetchWords(args);
  await keepNames(clientHome(process.env), key, await fetchNames(kinds, flags), systemClock);
  return 0;
}
