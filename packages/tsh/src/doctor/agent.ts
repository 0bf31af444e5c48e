import { agentBuild } from "@gatehouse/agent/start";
import { agentIsOff, agentPlace, askAgent, checkAgentSocket } from "@gatehouse/core/client/local-agent";
import { failed, ok, skipped, warning, type Found } from "./finding.ts";
import type { Patient } from "./patient.ts";

/** The local agent: whose its place is, whether it answers, is of this build, and is locked. */
export async function checkAgent({ env, home }: Patient): Promise<Found> {
  const place = agentPlace(env, home);
  if (agentIsOff(env)) return skipped("turned off: TSH_AGENT=off");
  const status = await askAgent(place, "status", {});
  if (!status) return skipped("none runs; the next command starts one where it may (tsh agent start)");
  if (status.locked) return warning("locked: it signs nothing and gives out nothing", "tsh agent unlock");
  if (!(await checkAgentSocket(place.directory, place.ssh))) return failed(`it offers no socket for ssh at ${place.ssh}`, "tsh agent stop && tsh agent start");
  if (status.build !== (await agentBuild())) return warning(`of another build (version ${status.version})`, "tsh agent stop && tsh agent start");
  return ok(`runs (process ${status.pid}), holds ${status.logins.length === 1 ? "1 login" : `${status.logins.length} logins`}`);
}
