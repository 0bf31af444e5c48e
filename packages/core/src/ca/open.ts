import { GatehouseError, type Clock, type Random } from "../base/index.ts";
import { spkiPin } from "../formats/index.ts";
import type { Store, StoredItem } from "../store/index.ts";
import { createAuthority, loadAuthority, type Authority, type TlsSigner } from "./authority.ts";
import { identifySshUser } from "./identify-ssh.ts";
import { identifyUser } from "./identify.ts";
import { issueHost } from "./issue-host.ts";
import { issueConnection } from "./issue-connection.ts";
import { issueUser } from "./issue-user.ts";
import { issueSshHost } from "./issue-ssh-host.ts";
import { checkClusterName } from "./names.ts";
import type { Authorities, AuthorityKind } from "./types.ts";

const storeKind = "cert_authority";
const kinds: readonly AuthorityKind[] = ["user", "openssh", "host"];

/** What authorities are made from. `clusterName` is kept at the first start and cannot change afterwards. */
export interface AuthoritiesOptions {
  readonly store: Store;
  readonly clusterName: string;
  readonly clock: Clock;
  readonly random: Random;
}

async function readStored(store: Store): Promise<readonly StoredItem[] | undefined> {
  const items = await Promise.all(kinds.map((kind) => store.get(storeKind, kind)));
  const found = items.filter((item) => item !== undefined);
  if (found.length === 0) return undefined;
  if (found.length === kinds.length) return found;
  const missing = kinds.filter((_, index) => items[index] === undefined);
  throw new GatehouseError("internal", `the store has some certificate authorities but not ${missing.join(", ")}`, { hint: "restore the data directory from a backup" });
}

/** Creates the three authorities, all or none. Of several gateways that start at once, one wins and the others read what it made. */
async function createStored({ store, clusterName, clock, random }: AuthoritiesOptions): Promise<readonly StoredItem[]> {
  const records = await Promise.all(kinds.map((kind) => createAuthority(kind, clusterName, clock.now(), random)));
  try {
    return await store.transact(kinds.flatMap((name, index) => {
      const record = records[index];
      return record ? [{ op: "put" as const, kind: storeKind, name, ...record, expect: "absent" as const }] : [];
    }));
  } catch (error) {
    if (!(error instanceof GatehouseError) || error.code !== "already_exists") throw error;
    const stored = await readStored(store);
    if (stored) return stored;
    throw error;
  }
}

function tlsOf({ tls, trust }: Authority): TlsSigner {
  if (!tls) throw new GatehouseError("internal", `the authority "${trust.kind}" signs no X.509 certificates`);
  return tls;
}

/**
 * The cluster's authorities, made at the first start. Throws `bad_parameter` for a name that cannot be a cluster's or is not the stored one,
 * `internal` for stored keys that do not fit together.
 */
export async function openAuthorities(options: AuthoritiesOptions): Promise<Authorities> {
  const { store, clusterName, clock, random } = options;
  checkClusterName(clusterName);
  const items = (await readStored(store)) ?? (await createStored(options));
  const load = (kind: AuthorityKind): Authority => {
    const item = items.find(({ name }) => name === kind);
    if (!item) throw new GatehouseError("internal", `the store did not return the authority "${kind}"`);
    const authority = loadAuthority(kind, item);
    const stored = authority.trust.clusterName;
    if (stored === clusterName) return authority;
    throw new GatehouseError("bad_parameter", `the store belongs to cluster "${stored}", but this gateway is configured as "${clusterName}"`, {
      hint: `start with --cluster-name=${stored} (auth_service.cluster_name in the file), or with another data directory`,
    });
  };
  const user = load("user");
  const openssh = load("openssh");
  const host = load("host");
  const userTls = tlsOf(user);
  const hostTls = tlsOf(host);
  const authorities = { user, openssh, host };
  return {
    clusterName,
    caPin: spkiPin(hostTls.certificate.der),
    trust: (kind) => authorities[kind].trust,
    issueUser: (request) => issueUser(request, user, userTls, clock, random),
    issueConnection: (request) => issueConnection(request, openssh, clock, random),
    issueHost: (request) => issueHost(request, host, hostTls, clock, random),
    issueSshHost: (request) => issueSshHost(request, host, clock, random),
    identifyUser: (certificateDer) => identifyUser(certificateDer, user, host, clock),
    identifySshUser: (certificate, peer) => identifySshUser(certificate, peer, authorities, clock),
  };
}
