import { toGatehouseError, type GatehouseError } from "@gatehouse/core/base";
import { chosenIdentity, clientHome } from "@gatehouse/core/client/lean";
import { AgentPlaceRefused, isFirstRefusal } from "@gatehouse/core/client/local-agent";
import { ensureAgent, wantsAgent } from "@gatehouse/agent/start";
import { runningProgram } from "./program.ts";

/**
 * Makes sure that an agent runs, while a command does what it is for: whatever comes of it is told to `say` and stands in nobody's way. Not for who comes with an
 * identity file (`-i`, or by the environment): that is a machine's login, which no agent holds.
 */
export async function wakeAgent(identity: string | undefined, say: (error: GatehouseError) => unknown): Promise<void> {
  if (chosenIdentity(process.env, identity) !== undefined) return;
  const home = clientHome(process.env);
  try {
    if (await wantsAgent(process.env, home)) await ensureAgent({ env: process.env, home, program: runningProgram() });
  } catch (error) {
    if (error instanceof AgentPlaceRefused && !isFirstRefusal()) return;
    await say(toGatehouseError(error));
  }
}
