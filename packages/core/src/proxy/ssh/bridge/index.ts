/** SSH that the gateway ends and begins anew, so that what passes can be recorded. */
export { createBridge } from "./bridge.ts";
export type { Bridge } from "./bridge.ts";
export type { BridgeContext } from "./services.ts";
export type { DialledHost, LiveFacts, LoginGrant, Lost, RecordedConnection, SshLive, SshPeople } from "./types.ts";
