import { isIP } from "node:net";
import type { NodeItem } from "../../api/index.ts";
import { GatehouseError, didYouMean, escapeLine, hasLabels, readLabels, type Label } from "../../base/index.ts";
import { isLabelTarget, type HostTarget } from "./target.ts";

/** A host and an account to log in to. */
export interface ChosenHost {
  /** What the gateway is asked for. */
  readonly target: string;
  readonly login: string;
  readonly port: number | undefined;
  /** As people call it. */
  readonly shown: string;
  /** The name that its host certificate has to have. */
  readonly name: string;
}

/** What a choice is made with. */
export interface ChoiceOptions {
  readonly target: HostTarget;
  readonly cluster: string;
  /** Accounts that the login names, where that is known here. */
  readonly logins: readonly string[] | undefined;
  /** The account on this machine. */
  readonly localUser: string;
  /** Asks the gateway. */
  readonly list: () => Promise<readonly NodeItem[]>;
}

/** `label=value[,label=value…]` of a command line. Throws `usage`. */
export function labelTerms(text: string): readonly Label[] {
  const labels = readLabels(text);
  if (labels && labels.length > 0) return labels;
  throw new GatehouseError("usage", `"${escapeLine(text)}" names no labels`, { hint: "write them as label=value[,label=value]" });
}

function defaultLogin(logins: readonly string[], localUser: string): string | undefined {
  return logins.includes(localUser) ? localUser : logins.length === 1 ? logins[0] : undefined;
}

function which(logins: readonly string[], host: string): GatehouseError {
  if (logins.length === 0) return new GatehouseError("access_denied", `you may log in to ${escapeLine(host)} as nobody`, { hint: "tsh ls shows where you may" });
  return new GatehouseError("usage", `log in to ${escapeLine(host)} as whom?`, { hint: `you may be ${logins.map(escapeLine).join(", ")}: tsh ssh ${escapeLine(logins[0] ?? "")}@${escapeLine(host)}` });
}

const fullName = (name: string, cluster: string): string => (name.endsWith(`.${cluster}`) ? name : `${name}.${cluster}`);

function fromList(host: NodeItem, { target, cluster, localUser }: ChoiceOptions): ChosenHost {
  const login = target.login ?? defaultLogin(host.logins, localUser);
  if (login === undefined) throw which(host.logins, host.hostname);
  return { target: host.id, login, port: target.port, shown: host.hostname, name: fullName(host.hostname, cluster) };
}

/** Every host with these labels, sorted by name. Throws `not_found`. */
async function byLabels(options: ChoiceOptions): Promise<readonly ChosenHost[]> {
  const wanted = labelTerms(options.target.host);
  const found = (await options.list()).filter(({ labels }) => hasLabels(labels, wanted));
  if (found.length === 0) throw new GatehouseError("not_found", `no host that you may log in to has ${escapeLine(options.target.host)}`, { hint: "tsh ls shows them and their labels" });
  return found.map((host) => fromList(host, options)).sort((a, b) => (a.shown < b.shown ? -1 : 1));
}

/** The one host at this address. Throws `usage` where there are several. */
function byAddress(listed: readonly NodeItem[], address: string, port: number | undefined): NodeItem | undefined {
  const there = listed.filter(({ addr }) => addr.replace(/:\d+$/, "").replace(/^\[(.*)\]$/, "$1") === address);
  const found = port === undefined ? there : there.filter(({ addr }) => addr.endsWith(`:${port}`));
  if (found.length < 2) return found[0];
  const shown = found.slice(0, 10).map(({ hostname, addr }) => `${escapeLine(hostname)} (${escapeLine(addr)})`);
  throw new GatehouseError("usage", `${found.length} hosts are at ${escapeLine(address)}: which one?`, { hint: `call it by its name: ${shown.join(", ")}` });
}

/** The hosts that a person means, and as whom. The gateway is asked only where the answer is not known here. Throws `usage`, `not_found`, `access_denied`. */
export async function chooseHosts(options: ChoiceOptions): Promise<readonly ChosenHost[]> {
  const { target, cluster, logins, localUser } = options;
  if (isLabelTarget(target.host)) return byLabels(options);
  const login = target.login ?? defaultLogin(logins ?? [], localUser);
  if (login !== undefined && isIP(target.host) === 0) return [{ target: target.host, login, port: target.port, shown: target.host, name: fullName(target.host, cluster) }];
  const listed = await options.list();
  const plain = target.host.endsWith(`.${cluster}`) ? target.host.slice(0, -cluster.length - 1) : target.host;
  const host = listed.find(({ id }) => id === plain) ?? listed.find(({ hostname }) => hostname === plain.toLowerCase()) ?? byAddress(listed, plain, target.port);
  if (host) return [fromList(host, options)];
  throw new GatehouseError("not_found", `there is no host "${escapeLine(target.host)}" that you may log in to${didYouMean(plain, listed.map(({ hostname }) => hostname))}`, { hint: "tsh ls shows them" });
}
