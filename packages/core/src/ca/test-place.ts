import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { manualClock, nullLogger, systemRandom, type ManualClock } from "../base/index.ts";
import { parseAuthorizedKey } from "../formats/index.ts";
import { openStore, type Store } from "../store/index.ts";
import { newKeyPair, openAuthorities, type Authorities, type HostCertificateRequest, type UserCertificateRequest } from "./index.ts";

/** When a test begins. */
export const start = Date.UTC(2026, 5, 1, 12);
/** ms */
export const hour = 3_600_000;

/** Whose certificates are asked for. */
export const keys = await newKeyPair();

/** For the tests of this folder alone: a directory for one test, with stores of authorities in it. */
export interface TestPlace {
  readonly clock: ManualClock;
  readonly store: Store;
  /** Another store; one of the same name holds the same. `db` is the first one's. */
  openIn(name: string): Promise<Store>;
  open(from?: Store, clusterName?: string): Promise<Authorities>;
  remove(): Promise<void>;
}

/** A fresh place, at {@link start}. */
export async function createPlace(): Promise<TestPlace> {
  const clock = manualClock(start);
  const directory = await mkdtemp(join(tmpdir(), "gatehouse-ca-"));
  const stores: Store[] = [];
  const openIn = async (name: string): Promise<Store> => {
    const opened = await openStore({ path: join(directory, name, "gatehouse.db"), keyFile: join(directory, name, "secret.key"), clock, random: systemRandom, logger: nullLogger });
    stores.push(opened);
    return opened;
  };
  const store = await openIn("db");
  return {
    clock,
    store,
    openIn,
    open: (from = store, clusterName = "example") => openAuthorities({ store: from, clusterName, clock, random: systemRandom }),
    async remove() {
      await Promise.all(stores.map((each) => each.close()));
      await rm(directory, { recursive: true });
    },
  };
}

/** What a certificate for a person is asked for with. */
export const userRequest = (changes: Partial<UserCertificateRequest> = {}): UserCertificateRequest => ({
  publicKey: keys.publicKey,
  username: "ana",
  subjectId: "github:github:1001",
  sessionId: "0b9f4f6e-session",
  roles: ["access", "auditor"],
  logins: ["ana", "deploy"],
  traits: { logins: ["ana"], kubernetes_groups: ["developers", "viewers"] },
  ttl: 12 * hour,
  permitPortForwarding: true,
  permitAgentForwarding: false,
  format: "standard",
  ...changes,
});

/** What a certificate for a gateway is asked for with. */
export const hostRequest = (changes: Partial<HostCertificateRequest> = {}): HostCertificateRequest => ({
  publicKey: keys.publicKey,
  hostId: "5f2b",
  nodeName: "Gateway-1",
  role: "Proxy",
  principals: ["gw.example.com", "gateway-1"],
  dnsNames: ["gw.example.com", "*.kube.teleport.cluster.local"],
  ipAddresses: ["127.0.0.1"],
  ttl: 24 * hour,
  ...changes,
});

/** Public keys of an authority, in OpenSSH's form. */
export const blobs = (authorities: Authorities, kind: "user" | "openssh" | "host"): Buffer[] => authorities.trust(kind).sshKeys.map((line) => parseAuthorizedKey(line).blob);
