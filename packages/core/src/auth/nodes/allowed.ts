import { isIP } from "node:net";
import { escapeLine } from "../../base/index.ts";
import { JoinRefused } from "../../connectors/index.ts";
import { compilePattern, formatNodeAddress, hostNameProblem, readNodeAddress, type NodeAddress, type ProvisionToken } from "../../resources/index.ts";

type TokenSpec = ProvisionToken["spec"];

const tokenHint = "an administrator makes another token: tctl nodes add";
const some = (patterns: readonly string[], text: string): boolean => patterns.some((pattern) => compilePattern(pattern).matches(text));

/** `ip:port` of a peer, without the port and without the form that IPv4 has inside IPv6. */
export function peerHost(remoteAddress: string): string {
  const host = remoteAddress.slice(0, Math.max(0, remoteAddress.lastIndexOf(":"))).replace(/^\[|\]$/g, "");
  return /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(host)?.[1] ?? host;
}

/** The name that a host may have. Throws {@link JoinRefused}. */
export function allowedName({ node_names: names = [] }: TokenSpec, given: string): string {
  const name = given.toLowerCase();
  const problem = hostNameProblem(name);
  if (problem !== undefined) throw new JoinRefused("name", `"${escapeLine(given.slice(0, 100))}" is no name for a host: it ${problem}`, { hint: "choose one: --name=NAME" });
  if (!some(names, name)) throw new JoinRefused("name", `this token lets no host be called "${name}": it is for ${names.join(", ")}`, { hint: `choose another: --name=NAME; or ${tokenHint}` });
  return name;
}

/** The address that a host may be dialled at. Throws {@link JoinRefused}. */
export function allowedAddress({ node_addrs: addrs = [] }: TokenSpec, given: string, remoteAddress: string): NodeAddress {
  const peer = peerHost(remoteAddress);
  const port = /^:(\d{1,5})$/.exec(given)?.[1];
  const text = given === "" || port !== undefined ? (isIP(peer) === 6 ? `[${peer}]` : peer) + given : given;
  const address = readNodeAddress(text);
  if (!address) throw new JoinRefused("addr", `"${escapeLine(given.slice(0, 100))}" is no address of a host`, { hint: "write it as --addr=HOST:PORT, or as --addr=:PORT" });
  if (address.host !== peer && !some(addrs, address.host)) {
    throw new JoinRefused("addr", `this token lets no host be dialled at ${formatNodeAddress(address)} that comes from ${peer}${addrs.length === 0 ? "" : `: it is for ${addrs.join(", ")}`}`, { hint: `tctl nodes add --addr=${address.host} makes a token that does` });
  }
  return address;
}

/** The labels that a host gets. Throws {@link JoinRefused} for one that it may not choose so. */
export function allowedLabels({ node_labels: allowed = {} }: TokenSpec, asked: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  const fixed = Object.entries(allowed).filter(([, value]) => !value.includes("*"));
  for (const [key, value] of Object.entries(asked)) {
    const pattern = Object.hasOwn(allowed, key) ? allowed[key] : undefined;
    const shown = `${escapeLine(key.slice(0, 100))}=${escapeLine(value.slice(0, 100))}`;
    if (pattern === undefined || !compilePattern(pattern).matches(value)) throw new JoinRefused("labels", `this token lets no host have the label ${shown}${pattern === undefined ? "" : `: it is for ${key}=${pattern}`}`, { hint: tokenHint });
  }
  return Object.fromEntries([...fixed, ...Object.entries(asked)].sort(([a], [b]) => (a < b ? -1 : 1)));
}
