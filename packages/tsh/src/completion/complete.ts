import { chosenIdentity, readProfileHead, type ClientHome, type Environment } from "@gatehouse/core/client/lean";
import { cacheKey, profileMeant, runComplete, type NameSource } from "@gatehouse/core/client/completion";
import { writeOut } from "../write-out.ts";
import { places } from "./places.ts";

/** Where names come from: the login of an identity file, or the one of the gateway that is meant. */
async function source(home: ClientHome, env: Environment, flags: Readonly<Record<string, string>>): Promise<NameSource | undefined> {
  const profile = await profileMeant(home, env, flags["proxy"]);
  const identity = chosenIdentity(env, flags["identity"]);
  const head = profile === undefined ? undefined : await readProfileHead(home, profile);
  if (head === undefined && identity === undefined) return undefined;
  const proxy = flags["proxy"] ?? (identity === undefined ? head?.web_proxy_addr : undefined);
  const command = [...(proxy === undefined ? [] : [`--proxy=${proxy}`]), ...(identity === undefined ? [] : [`--identity=${identity}`])];
  // Another user's login at the same gateway may see others.
  return { home, key: cacheKey(profile ?? "identity", "tsh", [identity, head?.user, proxy]), command };
}

/** `tsh __complete`, which the scripts of `tsh completion` run. Returns the exit code. */
export async function complete(args: readonly string[]): Promise<number> {
  writeOut(1, await runComplete(args, process.env, { folder: import.meta.dirname, places, source }));
  return 0;
}
