import { escapeLine, type GatehouseError } from "../base/index.ts";
import { loginAgent, openLogins, type ClientHome, type Environment, type LoginRecord } from "./lean/index.ts";
import { isFirstRefusal } from "./local-agent/index.ts";
import type { Profile } from "./profile.ts";

function tell(why: GatehouseError): void {
  if (!isFirstRefusal()) return;
  process.stderr.write(`Note: ${escapeLine(why.message)}${why.hint === undefined ? "" : `; ${escapeLine(why.hint)}`}\n`);
}

/**
 * The login of a profile, from the local agent where it has one that is good, else from its keystore; or undefined. Throws `internal` where its keystore cannot be read, and
 * `AgentLocked`.
 */
export async function readLogin(home: ClientHome, env: Environment, name: string, profile: Profile): Promise<LoginRecord | undefined> {
  if (profile.keystore === undefined) return undefined;
  return (await loginAgent(home, env, tell).read(name)) ?? openLogins(home, profile.keystore, env).read(name);
}
