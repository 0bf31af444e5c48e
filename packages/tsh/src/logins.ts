import { GatehouseError } from "@gatehouse/core/base";
import { clientHome, type ClientHome } from "@gatehouse/core/client/lean";
import { AgentLocked } from "@gatehouse/core/client/local-agent";
import { gatewayOf, isKept, kubeContexts, orderedProfiles, readLogin, requireProfile, type Profile } from "@gatehouse/core/client/local-logins";
import { describeStatus, type ShownLogin } from "./status-text.ts";
import { shortProxy } from "./text.ts";

/** Which logins are asked for: those of one gateway, the current gateway's first, or every one alike. */
export interface LoginChoice {
  readonly proxy?: string | undefined;
  readonly all: boolean;
}

/** What is stored, or that it is behind the agent's lock. */
async function look(home: ClientHome, name: string, profile: Profile): Promise<Pick<ShownLogin, "record" | "locked">> {
  try {
    return { record: await readLogin(home, process.env, name, profile) };
  } catch (error) {
    if (!(error instanceof AgentLocked)) throw error;
    return { record: undefined, locked: true };
  }
}

/** The logins of this machine, the one asked about first. Throws `unauthenticated` where that gateway has none, and what the keystores do. */
export async function findLogins({ proxy, all }: LoginChoice): Promise<readonly ShownLogin[]> {
  const home = clientHome(process.env);
  const asked = all ? undefined : (await requireProfile(home, process.env, proxy)).name;
  const logins: ShownLogin[] = [];
  for (const { name, profile, current } of await orderedProfiles(home)) {
    if (proxy !== undefined && gatewayOf(name) !== asked) continue;
    const { contexts } = await kubeContexts(process.env, profile.web_proxy_addr);
    const login = { profile, ...(await look(home, name, profile)), contexts, current, kept: isKept(name) };
    if (name === asked) logins.unshift(login);
    else logins.push(login);
  }
  return logins;
}

/** 3 where the login asked about is not one that is still good at `now` (ms since the epoch). */
export const exitCodeOf = ([first]: readonly ShownLogin[], all: boolean, now: number): number => (all || (first?.record !== undefined && first.record.expires > now) ? 0 : 3);

/** Shows logins to people. Throws `unauthenticated` where nobody is logged in to the gateway asked about. */
export function showLogins(logins: readonly ShownLogin[], all: boolean, now: number, write: (descriptor: 1 | 2, text: string) => unknown): void {
  const [first, ...others] = logins;
  const nobody = !all && first !== undefined && !first.record && first.locked !== true;
  write(1, (nobody ? others : logins).map((login) => describeStatus(login, now)).join("\n"));
  if (nobody) throw new GatehouseError("unauthenticated", `not logged in to ${shortProxy(first.profile.web_proxy_addr)}`, { hint: `log in: tsh login --proxy=${shortProxy(first.profile.web_proxy_addr)}` });
  if (!first) write(2, "not logged in to any gateway\n");
}
