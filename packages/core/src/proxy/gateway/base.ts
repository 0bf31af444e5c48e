import { join } from "node:path";
import { setTimeout as after } from "node:timers/promises";
import { createWitnessKeeper, openAuditLog, openEventSearch, openRecordings } from "../../audit/index.ts";
import { openAuth } from "../../auth/index.ts";
import { systemClock, systemRandom } from "../../base/index.ts";
import { openAuthorities } from "../../ca/index.ts";
import type { GatewayConfig } from "../../config/index.ts";
import type { AuthPreference } from "../../resources/index.ts";
import { openStore } from "../../store/index.ts";
import { Recorder, Sessions } from "../sessions/index.ts";
import { openCertificates } from "./certificates.ts";
import type { Cleanup } from "./cleanup.ts";
import { openDataDir } from "./data-dir.ts";
import { gatewayNames } from "./host-certificate.ts";
import { readHostId } from "./host-id.ts";
import { startWait, type Base, type Live } from "./parts.ts";
import { recheck } from "./proxies.ts";
import { reachOf } from "./reach.ts";
import type { GatewayDependencies } from "./types.ts";

/** The stored preference as the config file has it. */
function preferenceOf({ type, secondFactor, connectorName, rpId, requireSessionMfa }: GatewayConfig["authentication"]): AuthPreference["spec"] {
  return {
    type,
    second_factor: secondFactor,
    ...(connectorName === undefined ? {} : { connector_name: connectorName }),
    ...(rpId === undefined ? {} : { webauthn: { rp_id: rpId } }),
    ...(requireSessionMfa ? { require_session_mfa: true } : {}),
  };
}

/** Opens what everything else stands on, from the data directory to the certificates; `cleanup` gets what closes it. */
export async function openBase(config: GatewayConfig, deps: GatewayDependencies, live: Live, cleanup: Cleanup): Promise<Base> {
  const { logger, clock = systemClock, random = systemRandom, env = process.env } = deps;
  const dataDir = await openDataDir(config.dataDir);
  cleanup.add("data directory", () => dataDir.release());
  const store = await openStore({ path: join(config.dataDir, "gatehouse.db"), keyFile: join(config.dataDir, "secret.key"), clock, random, logger });
  cleanup.add("store", () => store.close());
  const authorities = await openAuthorities({ store, clusterName: config.clusterName, clock, random });
  const hostId = await readHostId(config.dataDir);
  const audit = await openAuditLog({ directory: join(config.dataDir, "log"), serverId: hostId, clock, random, logger, sync: config.audit.sync, witnesses: config.audit.witnesses, retentionMs: config.audit.retention, hostname: config.nodeName });
  cleanup.add("audit log", () => audit.close());
  const recordings = openRecordings({ directory: join(config.dataDir, "log"), serverId: hostId, clock, logger, audit });
  cleanup.add("recordings", () => recordings.close());
  audit.precede(() => recordings.digests());
  // What a crash has left open is closed before there is anything new, unless there is very much of it.
  await Promise.race([recordings.recovered, after(startWait, undefined, { ref: false })]);
  const recorder = new Recorder(audit, logger);
  const sessions = new Sessions({ recorder, clock, logger, serverId: hostId, recordings, recording: config.audit.recording });
  cleanup.add("sessions", () => sessions.close("the gateway is shutting down"));
  const events = await openEventSearch({ directory: join(config.dataDir, "log"), serverId: hostId, index: store.events, position: () => audit.position(), logger });
  cleanup.add("events", () => events.close());
  const witness = createWitnessKeeper({ directory: join(config.dataDir, "witness"), accepted: config.audit.witnessFor, logger });
  const auth = await openAuth({
    store,
    authorities,
    audit,
    clock,
    random,
    logger,
    preference: preferenceOf(config.authentication),
    gatewayNames: () => gatewayNames(config, hostId),
    publicUrls: () => reachOf({ config }, live).urls(),
    maxStaleness: config.maxStaleness,
    kubeClusters: () => live.kube?.clusters ?? [],
    onApplied: () => recheck(live),
    ...(deps.passwordCost === undefined ? {} : { passwordCost: deps.passwordCost }),
  });
  cleanup.add("auth", () => auth.close());
  const certificates = await openCertificates({ authorities, config, hostId, clock, logger });
  return { config, clock, random, logger, env, store, hostId, authorities, audit, recorder, sessions, events, witness, auth, certificates };
}
