import { rm } from "node:fs/promises";
import { errorMessage } from "../base/index.ts";
import type { Account } from "./kube-access.ts";
import { addKubeEntries, type KubeUpdate } from "./kubeconfig/index.ts";
import { rememberEmbedded } from "./embedded.ts";
import { keepLogin, keptName, removeKept } from "./kept-logins.ts";
import { writeLauncher } from "./launcher.ts";
import { keystoresOf, openLogins, parseProxyAddress, profileName, writeFileAtomic, type ClientHome, type Environment, type KeystoreKind, type LoginRecord } from "./lean/index.ts";
import { changeHome, readProfile, selectProfile, writeProfile, type Profile } from "./profiles.ts";
import { knownHostsText } from "./ssh/known-hosts.ts";
import type { GatewayTrust } from "./trust.ts";

/** Everything that a login leaves on this machine. */
export interface StoredLogin {
  readonly home: ClientHome;
  readonly name: string;
  readonly env: Environment;
  readonly record: LoginRecord;
  readonly account: Account;
  readonly authType: string;
  readonly keystore: KeystoreKind;
  readonly trust: GatewayTrust | undefined;
  readonly program: { readonly node: string; readonly script: string };
  /** ms since the epoch. */
  readonly now: number;
  readonly notice: (text: string) => void;
  /** Asked before anything is written, as the one process that changes this home: false leaves all as it is. */
  readonly still?: (() => Promise<boolean>) | undefined;
}

function profileOf(login: StoredLogin, before: Profile | undefined): Profile {
  const { record, account, trust } = login;
  return {
    ...before,
    web_proxy_addr: record.proxy,
    kube_proxy_addr: account.kubeAddress,
    user: record.username,
    auth_type: login.authType,
    cluster: record.cluster,
    keystore: login.keystore,
    ca_pin: trust ? trust.pin : before?.ca_pin,
    roles: [...account.roles],
    logins: [...account.logins],
    valid_until: new Date(record.expires).toISOString(),
    kube_clusters: account.kubeClusters.map(({ name, server_name, groups, refused }) => ({ name, server_name, groups, refused })),
  };
}

/** A key in the keystore that is not used any more must not stay behind. */
async function removeElsewhere(login: StoredLogin, before: Profile | undefined): Promise<void> {
  for (const other of keystoresOf(before?.keystore)) {
    if (other === login.keystore) continue;
    try {
      await openLogins(login.home, other, login.env).remove(login.name);
    } catch (error) {
      login.notice(`The earlier login's key could not be removed from the ${other}: ${errorMessage(error)}\n`);
    }
  }
}

/** Another user's login at the same gateway is for `tsh login --user` to go back to. That it cannot be kept costs no login. */
async function keepOther({ home, env, name, record, now, notice }: StoredLogin): Promise<void> {
  try {
    await keepLogin(home, env, name, record, now);
  } catch (error) {
    notice(`The other user's login could not be kept: ${errorMessage(error)}\n`);
  }
}

/**
 * Writes kubeconfig's entries for a login: of every cluster that the person may use, or of `only` one of them and those that are there already.
 * Entries of clusters that are gone are removed. Undefined where the gateway has no Kubernetes.
 */
export async function writeKubeEntries(
  login: Pick<StoredLogin, "home" | "env" | "record" | "account"> & { readonly embed: boolean; readonly only?: string | undefined; readonly identity?: string | undefined },
): Promise<KubeUpdate | undefined> {
  const { home, env, record, account } = login;
  if (account.kubeAddress === undefined) return undefined;
  const update = await addKubeEntries(env, {
    proxy: record.proxy,
    gatehouseCluster: record.cluster,
    server: account.kubeAddress,
    authorities: record.hostCertificates,
    preferred: account.defaultCluster,
    only: login.only,
    clusters: account.kubeClusters.filter(({ groups }) => groups.length > 0).map((cluster) => ({ cluster: cluster.name, serverName: cluster.server_name })),
    launcher: home.launcher,
    identity: login.identity,
    embed: login.embed ? { certificate: record.tlsCertificate, key: record.privateKey } : undefined,
  });
  // Whoever made an identity file renews that.
  if (update.embedded.length > 0 && login.identity === undefined) await rememberEmbedded(home, record, update.embedded);
  return update;
}

/** Writes what plain `ssh` needs of a login besides its configuration: the launcher, and whom to believe about hosts. */
export async function writeSshFiles(home: ClientHome, record: LoginRecord, program: StoredLogin["program"]): Promise<{ readonly name: string; readonly knownHosts: string }> {
  const name = profileName(parseProxyAddress(record.proxy));
  await changeHome(home, async () => {
    await writeLauncher(home, program.node, program.script);
    await writeFileAtomic(home.knownHosts(name), knownHostsText(record), 0o600);
  });
  return { name, knownHosts: home.knownHosts(name) };
}

/** Writes the launcher for entries that are not of a stored login, whose storing writes it. */
export async function refreshLauncher(home: ClientHome, program: StoredLogin["program"]): Promise<void> {
  await changeHome(home, () => writeLauncher(home, program.node, program.script));
}

/**
 * Stores a login: key and certificates as one secret, the pinned authority, the launcher, and last the profile, whose writing tells others
 * that the login is there. Another user's login at the same gateway that has not ended is kept beside it. One process at a time; each step replaces one file whole. False where `still` said no.
 */
export async function storeLogin(login: StoredLogin): Promise<boolean> {
  const { home, name, env, record, trust, still } = login;
  return changeHome(home, async () => {
    if ((await still?.()) === false) return false;
    const before = await readProfile(home, name);
    await keepOther(login);
    await openLogins(home, login.keystore, env).write(name, record);
    await removeElsewhere(login, before);
    if (trust) {
      if (trust.pinnedCa === undefined) await rm(home.pinnedCa(name), { force: true });
      else await writeFileAtomic(home.pinnedCa(name), trust.pinnedCa, 0o600);
    }
    await writeFileAtomic(home.knownHosts(name), knownHostsText(record), 0o600);
    await writeLauncher(home, login.program.node, login.program.script);
    await writeProfile(home, name, profileOf(login, before));
    await selectProfile(home, name);
    await removeKept(home, env, keptName(name, record.username));
    return true;
  });
}
