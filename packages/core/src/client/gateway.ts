import { adminServerName, createAdminClient, createWebClient, type AdminClient, type WebClient } from "../api/index.ts";
import { GatehouseError } from "../base/index.ts";
import { chosenIdentity, clientHome, parseProxyAddress, profileName, readIdentityFile, type ClientHome, type Environment, type LoginRecord, type ProxyAddress } from "./lean/index.ts";
import { requireProfile, type Profile } from "./profiles.ts";
import { readLogin } from "./stored-login.ts";
import { createTlsTransport } from "./transport.ts";

/** The gateway before a login. */
export interface WebConnection {
  readonly web: WebClient;
  /** The gateway's clock as its last answer told it, ms since the epoch. */
  gatewayNow(): number | undefined;
}

/** Reaches the web API of a gateway that these authorities vouch for. */
export function connectWeb(address: ProxyAddress, authorities: readonly string[]): WebConnection {
  let date: number | undefined;
  const transport = createTlsTransport({ address, authorities, onDate: (seen) => (date = seen) });
  return { web: createWebClient(transport), gatewayNow: () => date };
}

/** What a caller may want of a connection to the admin API. */
export interface AdminConnection {
  /** May change what a refusal says. */
  readonly explain?: ((refusal: GatehouseError) => GatehouseError) | undefined;
  /** Told the gateway's clock with each answer, ms since the epoch. */
  readonly onDate?: ((date: number) => void) | undefined;
}

/** Reaches the admin API as the person of this login: on the web port, by the cluster's server name, with the login's certificate. */
export function connectAdmin(record: LoginRecord, { explain, onDate }: AdminConnection = {}): AdminClient {
  return createAdminClient(
    createTlsTransport({
      address: parseProxyAddress(record.proxy),
      authorities: record.hostCertificates,
      serverName: adminServerName(record.cluster),
      identity: { certificate: record.tlsCertificate, key: record.privateKey },
      onDate,
    }),
    explain,
  );
}

/** A login that is stored and has not ended. */
export interface Session {
  readonly home: ClientHome;
  readonly name: string;
  readonly profile: Profile;
  readonly record: LoginRecord;
  readonly admin: AdminClient;
  /** Absolute path of the identity file that it came from; undefined for one's own login. */
  readonly identity: string | undefined;
}

/** Which login a command is to use: the values of `--proxy` and `-i`. */
export interface SessionChoice {
  readonly proxy?: string | undefined;
  readonly identity?: string | undefined;
}

/** A login from a file is not made again by who uses it. */
const forFile = (refusal: GatehouseError): GatehouseError =>
  refusal.code === "unauthenticated" ? new GatehouseError(refusal.code, refusal.message, { hint: "ask for a new identity file", id: refusal.id, cause: refusal }) : refusal;

async function openIdentity(path: string, env: Environment, proxy: string | undefined, now: number): Promise<Session> {
  const record = await readIdentityFile(path, { env, proxy, now });
  const profile: Profile = { web_proxy_addr: record.proxy, user: record.username, cluster: record.cluster };
  return { home: clientHome(env), name: profileName(parseProxyAddress(record.proxy)), profile, record, admin: connectAdmin(record, { explain: forFile }), identity: path };
}

/**
 * Opens a login for calls to the admin API: that of an identity file (`-i`, else `TSH_IDENTITY_FILE`), else the one stored for a gateway (`--proxy`, else
 * `TELEPORT_PROXY`, else the current profile). `now` in ms since the epoch. Throws `unauthenticated` where there is none, or it has ended.
 */
export async function openSession(env: Environment, choice: SessionChoice, now: number): Promise<Session> {
  const { proxy } = choice;
  const identity = chosenIdentity(env, choice.identity);
  if (identity !== undefined) return openIdentity(identity, env, proxy, now);
  const home = clientHome(env);
  const { name, profile } = await requireProfile(home, env, proxy);
  const hint = `log in: tsh login --proxy=${profile.web_proxy_addr}${profile.auth_type === undefined ? "" : ` --auth=${profile.auth_type}`}`;
  const record = await readLogin(home, env, name, profile);
  if (!record) throw new GatehouseError("unauthenticated", `not logged in to ${profile.web_proxy_addr}`, { hint });
  if (record.expires <= now) throw new GatehouseError("unauthenticated", `the login to ${profile.web_proxy_addr} has ended`, { hint });
  return { home, name, profile, record, admin: connectAdmin(record), identity: undefined };
}
