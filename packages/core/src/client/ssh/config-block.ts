import { GatehouseError } from "../../base/index.ts";

/** What the block of `~/.ssh/config` for one gateway says. */
export interface SshConfigOptions {
  /** Tells the blocks of several gateways apart: the profile's name. */
  readonly name: string;
  /** `host:port` of the gateway. */
  readonly proxy: string;
  /** Host patterns of ssh_config. */
  readonly hosts: readonly string[];
  /** Absolute path of the command that does not move. */
  readonly launcher: string;
  readonly knownHosts: string;
  /** Directory where agents are offered. */
  readonly agents: string;
  /** Absolute path of an identity file; undefined for one's own login. */
  readonly identity?: string | undefined;
  /** Port of the hosts where it is neither 22 nor the one that they are registered with. */
  readonly port?: number | undefined;
}

/** Host keys that are certificates; a host is trusted for nothing else. */
export const hostKeyAlgorithms = [
  "ssh-ed25519-cert-v01@openssh.com",
  "ecdsa-sha2-nistp256-cert-v01@openssh.com",
  "ecdsa-sha2-nistp384-cert-v01@openssh.com",
  "ecdsa-sha2-nistp521-cert-v01@openssh.com",
  "rsa-sha2-512-cert-v01@openssh.com",
  "rsa-sha2-256-cert-v01@openssh.com",
].join(",");

/** AES-GCM before what older OpenSSH likes better: the gateway does it at twice the speed, and so do most machines. All are known since OpenSSH 6.2 and to FIPS. */
const ciphers = "aes128-gcm@openssh.com,aes256-gcm@openssh.com,aes256-ctr,aes192-ctr,aes128-ctr";

/** Where an agent for one connection is, by tokens that ssh expands. */
const agentName = "%r@%h:%p";

/** A word of ssh_config; `%` is doubled where the option expands tokens. Throws `bad_parameter` for what the format cannot hold. */
export function configWord(text: string, tokens: boolean): string {
  if (/["\0-\x1f\x7f]/.test(text)) throw new GatehouseError("bad_parameter", `ssh_config cannot hold the path ${JSON.stringify(text)}`, { hint: "set TELEPORT_HOME to a plainer one" });
  return `"${(tokens ? text.replaceAll("%", "%%") : text).replaceAll("\\", "\\\\")}"`;
}

/** A word of a ProxyCommand: for the shell, after ssh has expanded tokens. */
export const commandWord = (text: string): string => `'${text.replaceAll("%", "%%").replaceAll("'", `'\\''`)}'`;

/** Believe hosts by their certificates alone, and offer them nothing but what the agent has. */
export const trustLines = (knownHosts: string): string => `  UserKnownHostsFile ${configWord(knownHosts, true)}
  GlobalKnownHostsFile none
  StrictHostKeyChecking yes
  HostKeyAlgorithms ${hostKeyAlgorithms}
  Ciphers ${ciphers}
  CheckHostIP no
  UpdateHostKeys no
  IdentityFile none
  PasswordAuthentication no
  KbdInteractiveAuthentication no
`;

/** The line that a block begins with. */
export const begin = (name: string): string => `# >>> gatehouse ${name} >>>`;
/** The line that a block ends with. */
export const end = (name: string): string => `# <<< gatehouse ${name} <<<`;

/** Throws `usage` for what is no pattern, and could end its line. */
export function checkPatterns(hosts: readonly string[]): void {
  const bad = hosts.find((host) => !/^[A-Za-z0-9.*?_:-]{1,255}$/.test(host));
  if (bad !== undefined) throw new GatehouseError("usage", `"${bad}" is not a pattern of host names`, { hint: "write it as *.example or web-*" });
}

/**
 * The block, newline-terminated. What comes behind it applies to every host, as at the start of a file. The command's shell sees the names of user and host,
 * which may come from a link that somebody else wrote: between single quotes, and only where there is none in them.
 */
export function sshConfigBlock(options: SshConfigOptions): string {
  const { name, proxy, hosts, launcher, knownHosts, agents, identity, port } = options;
  checkPatterns(hosts);
  const command = [
    commandWord(launcher),
    "proxy ssh",
    identity === undefined ? commandWord(`--proxy=${proxy}`) : commandWord(`--identity=${identity}`),
    "--login='%r'",
    `--agent-path=${commandWord(`${agents}/`)}'${agentName}'`,
    "'[%h]:%p'",
  ].join(" ");
  return `${begin(name)}
# Written by tsh config: hosts through the gateway ${proxy}. Lines outside of the marks are yours.
Host ${hosts.join(" ")}
${trustLines(knownHosts)}  IdentityAgent ${configWord(`${agents}/`, true).slice(0, -1)}${agentName}"
${port === undefined ? "" : `  Port ${port}\n`}Match host "${hosts.join(",")},!*'*" user "*,!*'*"
  ProxyCommand ${command}
Match all
${end(name)}
`;
}

/** Where the block of this name is, its marks included, to the end of the line. Throws `bad_parameter` where a mark is missing or there is more than one. */
function find(text: string, name: string): { readonly start: number; readonly stop: number } | undefined {
  const positions = (mark: string): readonly number[] => [...text.matchAll(/^.*$/gm)].filter(([line]) => line.trim() === mark).map(({ index }) => index);
  const [starts, stops] = [positions(begin(name)), positions(end(name))];
  const [start, stop] = [starts[0], stops[0]];
  if (start === undefined && stop === undefined) return undefined;
  if (starts.length !== 1 || stops.length !== 1 || start === undefined || stop === undefined || stop < start) {
    throw new GatehouseError("bad_parameter", `the lines "${begin(name)}" and "${end(name)}" do not mark one block`, { hint: "remove them and what is between them, then run tsh config --write again" });
  }
  const line = text.indexOf("\n", stop);
  return { start, stop: line < 0 ? text.length : line + 1 };
}

/** The block of this name in a file's text, its marks included; undefined where there is none. Throws `bad_parameter` for marks that are not of one block. */
export function blockIn(text: string, name: string): string | undefined {
  const found = find(text, name);
  return found && text.slice(found.start, found.stop);
}

/**
 * The file's text with this block in it: in its place where it is there already, else before everything, since ssh takes the first value that it finds.
 * With `block` undefined, without it. Nothing else changes.
 */
export function placeBlock(text: string, name: string, block: string | undefined): string {
  const found = find(text, name);
  if (found) {
    const behind = text.slice(found.stop);
    // The empty line that the block came with goes with it.
    return text.slice(0, found.start) + (block === undefined ? behind.replace(/^\n/, "") : block + behind);
  }
  if (block === undefined) return text;
  return text === "" ? block : `${block}\n${text}`;
}
