import { GatehouseError, escapeLine } from "../../base/index.ts";
import { clientHome, parseProxyAddress, profileName, type ClientHome, type Environment } from "./home.ts";
import { currentProfileName, readProfileHead, type ProfileHead } from "./profile-head.ts";

/** The login that a command means. */
export interface Target {
  readonly home: ClientHome;
  /** Of the profile. */
  readonly name: string;
  /** `host:port` of the gateway. */
  readonly proxy: string;
  readonly head: ProfileHead | undefined;
}

/** Finds it: `proxy`, else `TELEPORT_PROXY`, else the current profile. Throws `unauthenticated` where none of them says. */
export async function findTarget({ env, proxy: flag }: { readonly env: Environment; readonly proxy: string | undefined }): Promise<Target> {
  const home = clientHome(env);
  const asked = flag ?? (env["TELEPORT_PROXY"] === "" ? undefined : env["TELEPORT_PROXY"]);
  const name = asked === undefined ? await currentProfileName(home) : profileName(parseProxyAddress(asked));
  if (name === undefined) throw new GatehouseError("unauthenticated", "not logged in to any gateway", { hint: "log in first: tsh login --proxy=<gateway>" });
  const head = await readProfileHead(home, name);
  const proxy = asked === undefined ? head?.web_proxy_addr : parseProxyAddress(asked).text;
  if (proxy === undefined) throw new GatehouseError("unauthenticated", `the profile ${escapeLine(name)} names no gateway`, { hint: "log in again: tsh login --proxy=<gateway>" });
  return { home, name, proxy, head };
}

