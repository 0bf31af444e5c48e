import { parseProxyAddress } from "../lean/index.ts";
import { begin, checkPatterns, configWord, end, trustLines, type SshConfigOptions } from "./config-block.ts";

/** What the block of a gateway says whose hosts `ssh` reaches by itself, with the keys of the local agent. */
export interface SshAgentConfigOptions extends Pick<SshConfigOptions, "name" | "proxy" | "hosts" | "knownHosts" | "port"> {
  /** Socket of the agent. */
  readonly agent: string;
}

/**
 * The block, newline-terminated. The gateway wants a login that the certificate is for, and so is given the host's: it is the jump host, under a name that is nobody else's, on its web port, which answers SSH too. For sessions that are recorded: where they are not, a host wants a
 * certificate that `tsh proxy ssh` alone can get. Throws `usage` for a pattern that is none, `bad_parameter` for a path that ssh_config cannot hold.
 */
export function sshAgentConfigBlock({ name, proxy, hosts, knownHosts, port, agent }: SshAgentConfigOptions): string {
  checkPatterns(hosts);
  const gateway = parseProxyAddress(proxy);
  const jump = `gatehouse-${name}`;
  const lines = `${trustLines(knownHosts)}  IdentityAgent ${configWord(agent, true)}\n`;
  return `${begin(name)}
# Written by tsh config --agent: hosts through the gateway ${proxy}. Lines outside of the marks are yours.
Host ${jump}
  HostName ${gateway.host}
  Port ${gateway.port}
${lines}Host ${hosts.join(" ")}
${lines}${port === undefined ? "" : `  Port ${port}\n`}  ProxyJump %r@${jump}
Match all
${end(name)}
`;
}
