/** For tests alone: an auth service over a real store and real authorities, with a clock that stands and an audit log that is a list. */
import { generateKeyPairSync } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { LoginFailure, SshLoginResponse } from "../../api/index.ts";
import type { AuditEventInput, AuditLog } from "../../audit/index.ts";
import { manualClock, nullLogger, systemRandom, type ManualClock } from "../../base/index.ts";
import { openAuthorities, type Authorities, type CertificateIdentity } from "../../ca/index.ts";
import { formatAuthorizedKey, open, parseCertificate, sshPublicKey } from "../../formats/index.ts";
import { parseResource, type Resource } from "../../resources/index.ts";
import { openStore, type Store } from "../../store/index.ts";
import { openAuth } from "../service.ts";
import type { AuthOptions, AuthService, Caller, RequestOrigin } from "../types.ts";

export { stateOf } from "../sso-request.ts";

export const origin: RequestOrigin = { remoteAddress: "127.0.0.1:50000" };
export const localAdmin: Caller = { type: "local-admin" };

/** An audit log that keeps events in memory, and can be told to fail. */
export interface RecordingAudit extends AuditLog {
  readonly events: AuditEventInput[];
  /** Called before each event; what it throws is what the log fails with. */
  before: (event: AuditEventInput) => void;
  /** The last event of this name. */
  last(event: string): AuditEventInput | undefined;
}

export function recordingAudit(): RecordingAudit {
  const events: AuditEventInput[] = [];
  const audit: RecordingAudit = {
    events,
    before: () => undefined,
    last: (name) => events.findLast(({ event }) => event === name),
    emit(event) {
      return new Promise((resolve) => {
        audit.before(event);
        events.push(event);
        resolve();
      });
    },
    close: () => Promise.resolve(),
  };
  return audit;
}

/** An auth service and what it stands on. */
export interface AuthWorld {
  readonly auth: AuthService;
  readonly store: Store;
  readonly authorities: Authorities;
  readonly audit: RecordingAudit;
  readonly clock: ManualClock;
  /** A second gateway on the same store. */
  another(options?: Partial<AuthOptions>): Promise<AuthService>;
  /** Creates or overwrites a resource as the local administrator. */
  put(resource: Record<string, unknown>): Promise<Resource>;
  /** Who a login's X.509 certificate says its holder is. */
  certificate(login: SshLoginResponse): CertificateIdentity;
  close(): Promise<void>;
}

export async function openAuthWorld(options: Partial<AuthOptions> = {}): Promise<AuthWorld> {
  const folder = await mkdtemp(join(tmpdir(), "gatehouse-auth-"));
  const clock = manualClock(Date.UTC(2026, 10, 24, 9, 0, 0));
  const base = { clock, random: systemRandom, logger: nullLogger };
  const store = await openStore({ ...base, path: join(folder, "store/gatehouse.db"), keyFile: join(folder, "secret.key"), pollIntervalMs: 20 });
  const authorities = await openAuthorities({ ...base, store, clusterName: "example" });
  const audit = recordingAudit();
  const all: AuthOptions = {
    ...base,
    store,
    authorities,
    audit,
    preference: { type: "github", second_factor: "off" },
    maxStaleness: 5000,
    passwordCost: { memoryCost: 64, timeCost: 1, parallelism: 1 },
    ...options,
  };
  const services: AuthService[] = [];
  const start = async (more: Partial<AuthOptions> = {}): Promise<AuthService> => {
    const service = await openAuth({ ...all, ...more });
    services.push(service);
    return service;
  };
  const auth = await start();
  return {
    auth,
    store,
    authorities,
    audit,
    clock,
    another: start,
    async put(value) {
      const resource = parseResource(value);
      await auth.admin.put(localAdmin, resource, "upsert");
      return resource;
    },
    certificate: (login) => authorities.identifyUser(parseCertificate(Buffer.from(login.tls_cert, "base64").toString()).der),
    async close() {
      for (const service of services) await service.close();
      await store.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** A fresh public key as an `authorized_keys` line. */
export function newPublicKey(): string {
  return formatAuthorizedKey(sshPublicKey(generateKeyPairSync("ec", { namedCurve: "P-256" }).publicKey));
}

/** A terminal that waits for a login. */
export interface Terminal {
  readonly publicKey: string;
  readonly clientRedirectUrl: string;
  /** What the sealed answer in the address says. */
  read(location: string): { readonly response?: SshLoginResponse; readonly error?: LoginFailure };
}

export function newTerminal(): Terminal {
  const key = Buffer.from(systemRandom(32));
  return {
    publicKey: newPublicKey(),
    clientRedirectUrl: `http://127.0.0.1:43117/callback?secret=${encodeURIComponent(key.toString("base64"))}`,
    read(location) {
      const { searchParams } = new URL(location);
      const [response, error] = [searchParams.get("response"), searchParams.get("error")];
      return {
        ...(response === null ? {} : { response: JSON.parse(open(key, response).toString()) as SshLoginResponse }),
        ...(error === null ? {} : { error: JSON.parse(open(key, error).toString()) as LoginFailure }),
      };
    },
  };
}
