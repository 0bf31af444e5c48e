import { GatehouseError } from "@gatehouse/core/base";
import { clientHome, type KeystoreKind } from "@gatehouse/core/client";
import { AgentLocked, agentIsOff, agentPlace, askAgent } from "@gatehouse/core/client/local-agent";
import { startAgent, wantsAgent } from "@gatehouse/agent/start";
import { runningProgram } from "./program.ts";

const elsewhere = "keep the login elsewhere: --keystore=keychain, or --keystore=file";

/**
 * Makes sure, where a login is to go to the keystore `memory`, that there is an agent to keep it: before a browser opens, for such a login would be lost. Throws `usage`
 * where none may be started here, `AgentLocked`, and what keeps one from starting.
 */
export async function readyKeystore(keystore: KeystoreKind | undefined): Promise<void> {
  if (keystore !== "memory") return;
  const { env } = process;
  const home = clientHome(env);
  const refuse = (why: string, hint: string): GatehouseError => new GatehouseError("usage", `the keystore memory is the local agent's, ${why}`, { hint });
  if (agentIsOff(env)) throw refuse("which TSH_AGENT=off turns off", elsewhere);
  const running = (await wantsAgent(env, home)) ? await startAgent({ env, home, program: runningProgram() }) : await askAgent(agentPlace(env, home), "hello", {});
  if (running?.locked === true) throw new AgentLocked();
  if (running === undefined) throw refuse("which no command starts in CI, or where the setting agent is off", `start it: tsh agent start; or ${elsewhere}`);
}
