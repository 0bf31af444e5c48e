import { GatehouseError, toGatehouseError } from "../base/index.ts";
import { kubePlugins, renewEmbedded } from "./kubeconfig/index.ts";
import { parseProxyAddress, profileName, type ClientHome, type Environment, type LoginRecord } from "./lean/index.ts";
import { changeHome, readProfile, writeProfile } from "./profiles.ts";

/** Files that are remembered: the latest ones. */
const most = 20;

/** Remembers in the profile into which kubeconfigs a login was written, for {@link renewEmbeddedEntries}. */
export async function rememberEmbedded(home: ClientHome, record: LoginRecord, files: readonly string[]): Promise<void> {
  const name = profileName(parseProxyAddress(record.proxy));
  await changeHome(home, async () => {
    const profile = await readProfile(home, name);
    const known = profile?.embedded_in ?? [];
    if (!profile || files.every((file) => known.includes(file))) return;
    await writeProfile(home, name, { ...profile, embedded_in: [...known.filter((file) => !files.includes(file)), ...files].slice(-most) });
  });
}

/**
 * Gives the kubeconfig entries that hold this login's key (`--embed`) its newest certificate, in every file that the profile names. Returns the files that were changed. Throws the first
 * problem once all were tried.
 */
export async function renewEmbeddedEntries(home: ClientHome, name: string, record: LoginRecord): Promise<readonly string[]> {
  const changed: string[] = [];
  let problem: GatehouseError | undefined;
  for (const path of (await readProfile(home, name))?.embedded_in ?? []) {
    try {
      if (await renewEmbedded(path, record)) changed.push(path);
    } catch (error) {
      problem ??= toGatehouseError(error);
    }
  }
  if (problem) throw problem;
  return changed;
}

/** Whether the entries of a gateway hold key and certificate themselves: a login that nobody asked for in person leaves them so. False for a kubeconfig that cannot be read. */
export async function embedsEntries(env: Environment, proxy: string): Promise<boolean> {
  const plugins = await kubePlugins(env, proxy).catch((error: unknown) => {
    if (error instanceof GatehouseError) return [];
    throw error;
  });
  return plugins.some(({ command }) => command === undefined);
}
