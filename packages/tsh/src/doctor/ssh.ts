import { readFileLimited } from "@gatehouse/core/client";
import { agentPlace } from "@gatehouse/core/client/local-agent";
import { knownHostsText, readSshBlock, sshAgentConfigBlock, sshConfigBlock, sshConfigPath } from "@gatehouse/core/client/ssh";
import { findProgram } from "../ssh/openssh.ts";
import { ok, skipped, warning, type Found } from "./finding.ts";
import { askProgram, atLeast } from "./machine.ts";
import type { Patient } from "./patient.ts";

/** Oldest OpenSSH that knows every word of what `tsh config` writes. */
const leastOpenSsh = "7.8";
const maxKnownHosts = 1024 * 1024;

/** OpenSSH itself. */
export async function checkSsh({ env }: Patient): Promise<Found> {
  const path = await findProgram("ssh", env);
  if (path === undefined) return skipped("not on PATH: tsh ssh speaks SSH itself");
  const said = (await askProgram(path, ["-V"], env)).trim();
  const version = /^OpenSSH_(?:for_Windows_)?(\d+\.\d+)/.exec(said)?.[1];
  if (version === undefined) return warning(`${path} is no OpenSSH that is known here`, "tsh ssh --no-openssh does without");
  return atLeast(version, leastOpenSsh) ? ok(`${said.split(/[ ,]/, 1)[0] ?? ""} (${path})`) : warning(`OpenSSH ${version} is older than ${leastOpenSsh}`, "install a newer one, or use tsh ssh --no-openssh");
}

/** What `tsh config --write` put into ssh's configuration, against what it would write now. */
export async function checkSshConfig({ env, home, login, name, profile }: Patient): Promise<Found> {
  if (!profile || name === undefined) return skipped("not logged in");
  const file = sshConfigPath(env);
  const block = await readSshBlock(file, name);
  if (block === undefined) return skipped("plain ssh is not set up for this gateway (tsh config --write)");
  // With --agent the jump host stands before the hosts.
  const own = block.slice(block.lastIndexOf("\nHost "));
  const hosts = /^Host (.+)$/m.exec(own)?.[1]?.split(" ") ?? [];
  const port = /^ {2}Port (\d{1,5})$/m.exec(own)?.[1];
  const identity = /'--identity=([^']+)'/.exec(own)?.[1]?.replaceAll("%%", "%");
  const shared = { name, proxy: profile.web_proxy_addr, hosts, knownHosts: home.knownHosts(name), port: port === undefined ? undefined : Number(port) };
  const now = block.includes("# Written by tsh config --agent:") ? sshAgentConfigBlock({ ...shared, agent: agentPlace(env, home).ssh }) : sshConfigBlock({ ...shared, launcher: home.launcher, agents: home.sshAgents, identity });
  if (now !== block) return warning(`the lines in ${file} are not what tsh config writes now`, "tsh config --write");
  const record = await login().catch(() => undefined);
  const known = await readFileLimited(home.knownHosts(name), { limit: maxKnownHosts });
  if (known === undefined || (record && known !== knownHostsText(record))) return warning(`${home.knownHosts(name)} does not say whom to believe about hosts`, "tsh config --write");
  return ok(`${file} leads to ${hosts.join(", ")}`);
}
