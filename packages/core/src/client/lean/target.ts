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

/** What says which login is meant. */
export interface TargetWords {
  readonly env: Environment;
  /** `--proxy`; else `TELEPORT_PROXY`, else the current profile. */
  readonly proxy: string | undefined;
}

const askedFor = ({ env, proxy }: TargetWords): string | undefined => proxy ?? (env["TELEPORT_PROXY"] === "" ? undefined : env["TELEPORT_PROXY"]);

/** The home and the name of the profile, which is not read. Throws `unauthenticated` where nothing says which. */
export async function findProfile(words: TargetWords): Promise<Pick<Target, "home" | "name">> {
  const home = clientHome(words.env);
  const asked = askedFor(words);
  const name = asked === undefined ? await currentProfileName(home) : profileName(parseProxyAddress(asked));
  if (name === undefined) throw new GatehouseError("unauthenticated", "not logged in to any gateway", { hint: "log in first: tsh login --proxy=<gateway>" });
  return { home, name };
}

/** All of it. Throws `unauthenticated` where nothing says which login. */
export async function findTarget(words: TargetWords): Promise<Target> {
  const { home, name } = await findProfile(words);
  const asked = askedFor(words);
  const head = await readProfileHead(home, name);
  const proxy = asked === undefined ? head?.web_proxy_addr : parseProxyAddress(asked).text;
  if (proxy === undefined) throw new GatehouseError("unauthenticated", `the profile ${escapeLine(name)} names no gateway`, { hint: "log in again: tsh login --proxy=<gateway>" });
  return { home, name, proxy, head };
}
