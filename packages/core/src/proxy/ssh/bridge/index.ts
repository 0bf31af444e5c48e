/** SSH that the gateway ends and begins anew, so that what passes can be recorded. */
export type { DialledHost, LiveFacts, LoginGrant, Lost, RecordedConnection, SshLive, SshPeople } from "./types.ts";
