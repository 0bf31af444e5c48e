import { resolve } from "node:path";
import { chosenIdentity, readProfileHead, type ClientHome, type Environment } from "@gatehouse/core/client/lean";
import { cacheKey, profileMeant, runComplete, type NameSource } from "@gatehouse/core/client/completion";
import { places } from "./places.ts";

/** Where names come from: by the flags that say which gateway, as `tctl` itself takes them. Paths are absolute: the command that fetches runs elsewhere. */
async function source(home: ClientHome, env: Environment, flags: Readonly<Record<string, string>>): Promise<NameSource> {
  const absolute = (path: string | undefined): string | undefined => (path === undefined || path === "" ? undefined : resolve(path));
  const [dataDir, config] = [absolute(flags["data-dir"]), absolute(flags["config"])];
  const local = dataDir !== undefined || config !== undefined;
  const identity = local ? undefined : chosenIdentity(env, flags["identity"]);
  const profile = local ? undefined : await profileMeant(home, env, flags["proxy"]);
  const user = profile === undefined ? undefined : (await readProfileHead(home, profile))?.user;
  const given = { "data-dir": dataDir, config, proxy: local ? undefined : flags["proxy"], identity };
  const command = Object.entries(given).flatMap(([name, value]) => (value === undefined ? [] : [`--${name}=${value}`]));
  const surroundings = [env["TELEPORT_DATA_DIR"], env["TELEPORT_CONFIG_FILE"], env["XDG_STATE_HOME"], user];
  return { home, key: cacheKey(profile ?? "local", "tctl", [...command, ...surroundings]), command };
}

/** `tctl __complete`, which the scripts of `tctl completion` run. Returns the exit code. */
export async function complete(args: readonly string[]): Promise<number> {
  process.stdout.write(await runComplete(args, process.env, { folder: import.meta.dirname, places, source }));
  return 0;
}
