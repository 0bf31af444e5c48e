import { GatehouseError, type Clock, type Random } from "../base/index.ts";
import { parseAuthorizedKey, rangeProblem, signSshCertificate } from "../formats/index.ts";
import type { Authority } from "./authority.ts";
import { permits } from "./issue-user.ts";
import { connectionKeyId } from "./key-id.ts";
import { checkName, checkUsername } from "./names.ts";
import { sshSerial } from "./serial.ts";
import type { ConnectionCertificateRequest, SshCertificateLine } from "./types.ts";
import { validityFor } from "./validity.ts";

const maxConnectionTtl = 5 * 60_000;

/** A certificate for one connection (DESIGN "user CAs"): one login on one host, from the gateway's address, at most five minutes. */
export function issueConnection(request: ConnectionCertificateRequest, authority: Authority, clock: Clock, random: Random): SshCertificateLine {
  const { username, login, nodeId, sessionId, sourceAddresses, forceCommand } = request;
  checkUsername(username);
  for (const [name, what] of [[login, "a login"], [nodeId, "a host's id"], [sessionId, "a session's id"]] as const) checkName(name, what);
  // A login with an @ in it could name another host.
  if (login.includes("@")) throw new GatehouseError("bad_parameter", "a login has no @ in it");
  if (sourceAddresses.length === 0 || sourceAddresses.some((range) => rangeProblem(range) !== undefined)) {
    throw new GatehouseError("bad_parameter", "a certificate for one connection needs the addresses that it is used from");
  }
  const validity = validityFor(request.ttl, maxConnectionTtl, clock, authority);
  const criticalOptions = new Map([["source-address", sourceAddresses.join(",")]]);
  if (forceCommand !== undefined) criticalOptions.set("force-command", forceCommand);
  const extensions = permits(request);
  if (request.permitX11Forwarding === true) extensions.set("permit-X11-forwarding", "");
  const ssh = signSshCertificate(
    {
      type: "user",
      publicKey: parseAuthorizedKey(request.publicKey).blob,
      serial: sshSerial(random),
      keyId: connectionKeyId(username, sessionId),
      principals: [`${login}@${nodeId}`],
      validAfter: validity.validAfter,
      validBefore: validity.validBefore,
      criticalOptions,
      extensions,
    },
    authority.sshKey,
    random,
  );
  return { ssh, expires: validity.expires };
}
