import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { GatehouseError, escapeLine } from "../../base/index.ts";

/** Port of a gateway's web listener where none is written. */
export const defaultWebPort = 3080;

/** Where a gateway's web listener is. */
export interface ProxyAddress {
  /** Name or address; IPv6 without brackets. Lower case. */
  readonly host: string;
  readonly port: number;
  /** `host:port`, IPv6 in brackets: what `--proxy` takes and profiles hold. */
  readonly text: string;
}

/** Environment variables. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** `host:port` with brackets around IPv6. */
export function joinHostPort(host: string, port: number): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

/**
 * Reads `host[:web[,ssh]]` (reference §6.2), also as `https://host:port/`. IPv6 addresses stand in brackets. Throws `usage`.
 */
export function parseProxyAddress(text: string): ProxyAddress {
  const trimmed = text.trim().replace(/^https:\/\//i, "").replace(/\/+$/, "");
  const match = /^(?:\[([0-9a-fA-F:.]{2,45})\]|([A-Za-z0-9._-]{1,253}))(?::(\d{1,5}))?(?:,\d{1,5})?$/.exec(trimmed);
  const host = (match?.[1] ?? match?.[2])?.toLowerCase();
  const port = match?.[3] === undefined ? defaultWebPort : Number(match[3]);
  if (host === undefined || port < 1 || port > 65_535) {
    throw new GatehouseError("usage", `"${escapeLine(text.slice(0, 300))}" is not the address of a gateway`, { hint: "write it as --proxy=teleport.example.com or --proxy=teleport.example.com:3080" });
  }
  return { host, port, text: joinHostPort(host, port) };
}

/** Name of a gateway's profile and keys: the host (reference §6.1), with the port where it is not the default one, so that two gateways on one host stay apart. */
export function profileName(address: ProxyAddress): string {
  const host = address.host.replaceAll(":", "-");
  return address.port === defaultWebPort ? host : `${host}_${address.port}`;
}

/** Paths of one person's client state. */
export interface ClientHome {
  readonly path: string;
  /** True where this is `~/.tsh`. */
  readonly isDefault: boolean;
  /** Held for every change of what is here. */
  readonly lock: string;
  /** Symlink to the current profile. */
  readonly current: string;
  readonly keys: string;
  /** What kubeconfig runs. */
  readonly launcher: string;
  readonly refusals: string;
  /** Names that shells complete; nothing in it is missed. */
  readonly cache: string;
  profile(name: string): string;
  /** CA certificate that this gateway was pinned to. */
  pinnedCa(name: string): string;
  /** `@cert-authority` lines of the cluster's hosts. */
  knownHosts(name: string): string;
  /** Where agents for SSH connections are offered. */
  readonly sshAgents: string;
  /** Held by the one login that is under way for a gateway. */
  loginLock(name: string): string;
}

/** `TELEPORT_HOME`, else `~/.tsh`. */
export function clientHome(env: Environment): ClientHome {
  const asked = env["TELEPORT_HOME"];
  const user = env["HOME"] !== undefined && env["HOME"] !== "" ? env["HOME"] : homedir();
  const standard = join(user, ".tsh");
  const path = asked === undefined || asked === "" ? standard : resolve(asked);
  return {
    path,
    isDefault: path === standard,
    lock: join(path, ".lock"),
    current: join(path, "profile"),
    keys: join(path, "keys"),
    launcher: join(path, "bin", process.platform === "win32" ? "tsh.cmd" : "tsh"),
    refusals: join(path, "refusals"),
    cache: join(path, "cache"),
    profile: (name) => join(path, `${name}.yaml`),
    pinnedCa: (name) => join(path, `${name}.ca.pem`),
    knownHosts: (name) => join(path, `${name}.known_hosts`),
    sshAgents: join(path, "ssh"),
    loginLock: (name) => join(path, `.login-${name}.lock`),
  };
}
