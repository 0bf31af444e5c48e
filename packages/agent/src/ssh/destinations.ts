import { GatehouseError } from "@gatehouse/core/base";
import type { SessionBindings } from "@gatehouse/core/client/ssh";
import { parseSshCertificate } from "@gatehouse/core/formats/ssh";
import { parseSignedUserauth, verifySshCertificate, type AgentDestination, type AgentHop } from "@gatehouse/core/formats/ssh-agent";

/** Whether text is of a pattern in which `*` stands for anything and `?` for one character (ssh_config(5), PATTERNS). Takes time as the product of their lengths at most. */
function matches(text: string, pattern: string): boolean {
  let [at, in_, star, resume] = [0, 0, -1, 0];
  while (at < text.length) {
    if (in_ < pattern.length && (pattern[in_] === "?" || (pattern[in_] === text[at] && pattern[in_] !== "*"))) [at, in_] = [at + 1, in_ + 1];
    else if (pattern[in_] === "*") [star, resume, in_] = [in_, at, in_ + 1];
    else if (star >= 0) [resume, at, in_] = [resume + 1, resume + 1, star + 1];
    else return false;
  }
  while (pattern[in_] === "*") in_ += 1;
  return in_ === pattern.length;
}

const isCertificate = (hostKey: Buffer): boolean => hostKey.subarray(4, 64).includes("-cert-v01@openssh.com");

function certifies(hostKey: Buffer, authority: Buffer, hostname: string, now: number): boolean {
  try {
    const certificate = parseSshCertificate(hostKey);
    verifySshCertificate(certificate, { caKeys: [authority], now, type: "host" });
    return certificate.principals.some((principal) => matches(hostname, principal));
  } catch (error) {
    if (error instanceof GatehouseError) return false;
    throw error;
  }
}

function isHostOf({ hostname, keys }: AgentHop, hostKey: Buffer, now: number): boolean {
  const certified = isCertificate(hostKey);
  return keys.some(({ blob, isAuthority }) => certified === isAuthority && (isAuthority ? hostname !== undefined && certifies(hostKey, blob, hostname, now) : blob.equals(hostKey)));
}

/** Whether a hop is one of those allowed. `from` undefined: this machine; `to` undefined: any at all; `user` undefined: whoever. */
function isAllowed(destinations: readonly AgentDestination[], hop: { readonly from: Buffer | undefined; readonly to: Buffer | undefined; readonly user: string | undefined }, now: number): boolean {
  return destinations.some(({ from, to }) => {
    if (hop.from === undefined ? from.keys.length > 0 : !isHostOf(from, hop.from, now)) return false;
    if (hop.to !== undefined && !isHostOf(to, hop.to, now)) return false;
    return to.user === undefined || hop.user === undefined || matches(hop.user, to.user);
  });
}

function walks(destinations: readonly AgentDestination[], sessions: SessionBindings, user: string | undefined, now: number): boolean {
  const { all } = sessions;
  return all.every(({ hostKey, isForwarding }, index) => {
    const isLast = index === all.length - 1;
    // What signs has to be bound for logging in, and everything before it to be forwarded.
    if (isLast ? isForwarding && user !== undefined : !isForwarding) return false;
    return isAllowed(destinations, { from: all[index - 1]?.hostKey, to: hostKey, user: isLast ? user : undefined }, now);
  });
}

/** Whether a key with these destinations is shown where these sessions ask, as OpenSSH's agent decides. `now`: ms since the epoch. */
export function mayBeSeen(destinations: readonly AgentDestination[] | undefined, sessions: SessionBindings, now: number): boolean {
  if (!destinations) return true;
  if (sessions.hasFailed) return false;
  const last = sessions.all.at(-1);
  // Nothing is bound: it is used on this machine.
  if (!last) return true;
  if (!walks(destinations, sessions, undefined, now)) return false;
  // Hidden where it may log in to the host that asks, but not go further from there.
  return !last.isForwarding || isAllowed(destinations, { from: last.hostKey, to: undefined, user: undefined }, now);
}

/** Whether the key `blob` with these destinations may sign this where these sessions ask: a login at a host that is allowed, in the session that was bound last. */
export function maySign(destinations: readonly AgentDestination[] | undefined, sessions: SessionBindings, request: { readonly blob: Buffer; readonly data: Buffer }, now: number): boolean {
  if (!destinations) return true;
  const last = sessions.all.at(-1);
  const login = last && parseSignedUserauth(request.data, request.blob);
  if (!login || !walks(destinations, sessions, login.user, now) || !login.sessionId.equals(last.sessionId)) return false;
  // An `ssh` of before the method that binds signatures to hosts is believed for the first hop alone.
  return login.hostKey ? login.hostKey.equals(last.hostKey) : sessions.all.length === 1;
}
