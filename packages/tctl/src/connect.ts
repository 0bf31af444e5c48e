import { access } from "node:fs/promises";
import { homedir } from "node:os";
import { isAbsolute, join } from "node:path";
import { createAdminClient, type AdminClient } from "@gatehouse/core/api";
import { GatehouseError, systemClock } from "@gatehouse/core/base";
import { chosenIdentity, chosenProxy, clientHome, openSession, readFileLimited, type Environment } from "@gatehouse/core/client";
import { connectSocket } from "./socket.ts";

/** What the flags say of the way to the gateway. */
export interface ConnectOptions {
  readonly dataDir: string | undefined;
  readonly config: string | undefined;
  readonly proxy: string | undefined;
  readonly identity: string | undefined;
}

/** Where a gateway's configuration is, for a command that is not told; `TELEPORT_CONFIG_FILE` as for the gateway itself. */
function systemConfigOf(env: Environment): string {
  const named = env["TELEPORT_CONFIG_FILE"];
  return named === undefined || named === "" ? "/etc/teleport.yaml" : named;
}
const maxConfig = 1024 * 1024;

/** `teleport.data_dir` of a configuration file, if it has one. The rest is the gateway's to check. */
async function configuredDataDir(file: string, required: boolean): Promise<string | undefined> {
  const text = await readFileLimited(file, { limit: maxConfig });
  if (text === undefined) {
    if (required) throw new GatehouseError("not_found", `${file} does not exist`);
    return undefined;
  }
  const { readDataDir } = await import("./config-file.ts");
  return readDataDir(file, text);
}

/** Where a gateway of this user keeps its data unless told otherwise. */
function defaultDataDir(env: Environment): string {
  if (process.getuid?.() === 0) return "/var/lib/teleport";
  const state = env["XDG_STATE_HOME"];
  return join(state !== undefined && isAbsolute(state) ? state : join(env["HOME"] ?? homedir(), ".local", "state"), "gatehouse");
}

/** What `TELEPORT_DATA_DIR` names. */
function namedDataDir(env: Environment): string | undefined {
  const named = env["TELEPORT_DATA_DIR"];
  return named === "" ? undefined : named;
}

/** The data directory of the gateway on this machine, by the flags or where it is unless told otherwise. */
export async function localDataDir(options: Pick<ConnectOptions, "dataDir" | "config">, env: Environment): Promise<string> {
  const { dataDir, config } = options;
  if (dataDir !== undefined) return dataDir;
  if (config !== undefined) return (await configuredDataDir(config, true)) ?? defaultDataDir(env);
  return namedDataDir(env) ?? (await configuredDataDir(systemConfigOf(env), false)) ?? defaultDataDir(env);
}

const exists = (path: string): Promise<boolean> => access(path).then(() => true, () => false);

/**
 * Reaches the admin API: with `--identity` or `TSH_IDENTITY_FILE` through that file, with `--proxy` or `TELEPORT_PROXY` through one's own
 * login, with `--data-dir` or `--config` over that gateway's socket, as with `TELEPORT_DATA_DIR` where no flag says more; told nothing, over the socket of
 * a gateway on this machine where there is one, else through the current login.
 */
export async function connect(options: ConnectOptions, env: Environment): Promise<AdminClient> {
  const { dataDir, config, proxy, identity } = options;
  const isLocal = dataDir !== undefined || config !== undefined || (proxy === undefined && namedDataDir(env) !== undefined);
  if (identity === undefined && isLocal) return createAdminClient(await connectSocket(await localDataDir(options, env)));
  if (chosenIdentity(env, identity) !== undefined) return (await openSession(env, { proxy, identity }, systemClock.now())).admin;
  const asked = proxy ?? env["TELEPORT_PROXY"];
  if (asked === undefined || asked === "") {
    const local = await localDataDir(options, env);
    if (await exists(join(local, "admin.sock"))) return createAdminClient(await connectSocket(local));
    if ((await chosenProxy(clientHome(env), env, undefined)) === undefined) {
      throw new GatehouseError("unauthenticated", `no gateway runs on this machine (nothing in ${local}), and you are not logged in to one`, {
        hint: "on the gateway's machine: tctl --data-dir=<folder>; elsewhere: tsh login --proxy=<gateway>",
      });
    }
  }
  return (await openSession(env, { proxy }, systemClock.now())).admin;
}
