import { adminServerName, createAdminClient, createWebClient, type PingResponse } from "@gatehouse/core/api";
import { GatehouseError, describeDuration, version } from "@gatehouse/core/base";
import { clockSkew, createTlsTransport, knownAuthorities } from "@gatehouse/core/client";
import { failed, loginNeeded, ok, skipped, thrownBy, warning, type Found } from "./finding.ts";
import type { Patient } from "./patient.ts";

/** ms that the gateway may take for an answer. */
export const networkLimit = 5000;
/** A little less: the request's own error says more than that a check took too long. */
const timeout = networkLimit - 200;

/** What the gateway answered to the first question. Clocks in ms since the epoch, of the moment of the answer. */
export interface Reached {
  readonly ping: PingResponse;
  readonly gatewayNow: number | undefined;
  readonly now: number;
}

/** Asks the gateway who it is. Throws `unavailable` with the cause. */
export async function reach({ address, env, home, name }: Patient): Promise<Reached | undefined> {
  if (!address || name === undefined) return undefined;
  let gatewayNow: number | undefined;
  const web = createWebClient(createTlsTransport({ address, authorities: await knownAuthorities(home, name, env), timeout, onDate: (date) => (gatewayNow = date) }));
  return { ping: await web.ping(), gatewayNow, now: Date.now() };
}

const major = (text: string): string => text.split(".", 1)[0] ?? "";

/** Reachable, vouched for, of a version that this one speaks with. */
export async function checkGateway({ address, profile }: Patient, reached: Promise<Reached | undefined>): Promise<Found> {
  if (!address) return skipped("no gateway is chosen: tsh doctor --proxy=<gateway> looks at one");
  const found = await reached;
  if (!found) return skipped("no gateway is chosen");
  const { server_version: server } = found.ping;
  const trust = profile?.ca_pin === undefined ? "vouched for by an authority of this machine" : `pinned to ${profile.ca_pin.slice(0, 19)}…`;
  const detail = `${address.text.replace(/:3080$/, "")} answers, version ${server}, ${trust}`;
  return major(server) === major(version) ? ok(detail) : warning(`${detail}; this tsh is version ${version}`, "use a tsh of the gateway's version");
}

/** This machine's clock against the gateway's. */
export async function checkClock(reached: Promise<Reached | undefined>): Promise<Found> {
  const found = await reached.catch(() => undefined);
  if (!found) return skipped("the gateway did not answer");
  if (found.gatewayNow === undefined) return skipped("the gateway does not tell its time");
  const skew = clockSkew(found.now, found.gatewayNow);
  // The gateway tells whole seconds.
  const off = Math.abs(found.now - found.gatewayNow);
  if (skew === undefined) return ok(off < 2000 ? "as the gateway's" : `${describeDuration(off)} from the gateway's`);
  return failed(skew, "set this machine's clock, best by the network (timedatectl set-ntp true)");
}

/** Whether the gateway takes the login now. */
export async function checkSession({ login, loginCommand, address, now }: Patient, reached: Promise<Reached | undefined>): Promise<Found> {
  const record = await login().catch(() => undefined);
  if (!record || !address || record.expires <= now) return skipped("there is no login that is valid");
  if (!(await reached.catch(() => undefined))) return skipped("the gateway did not answer");
  const transport = createTlsTransport({
    address,
    authorities: record.hostCertificates,
    serverName: adminServerName(record.cluster),
    identity: { certificate: record.tlsCertificate, key: record.privateKey },
    timeout,
  });
  try {
    const { username, roles } = await createAdminClient(transport).whoami();
    return ok(`the gateway knows it: ${username}, roles ${roles.join(", ")}`);
  } catch (error) {
    if (error instanceof GatehouseError && error.code === "unauthenticated") return loginNeeded(`the gateway does not take it any more: ${error.message}`, loginCommand);
    if (error instanceof GatehouseError && error.code === "access_denied") return failed(`the gateway refuses it: ${error.message}`, error.hint ?? "ask an administrator why");
    return thrownBy(error);
  }
}
