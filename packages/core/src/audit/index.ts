/** The log of events: JSON lines, one file a day, written before what they tell of is answered, each tied to the line before it. */
export { openAuditLog } from "./log/open.ts";
export type { AuditLogOptions } from "./log/open.ts";
export { auditEvents, authFailed, clientDisconnect, exec, port, resourceChange, userLogin } from "./events.ts";
export type { EventFields, EventOrigin, KubeStreamFields } from "./events.ts";
export type { AuditEvent, AuditEventInput, AuditLog, AuditStatus, EventValue, LogPosition, OwnAuditLog } from "./types.ts";
export * from "./recordings/index.ts";
export type { WitnessOptions, WitnessStatus } from "./witnesses/index.ts";
export { createWitnessKeeper } from "./witnesses/keeper.ts";
export type { WitnessKeeper } from "./witnesses/keeper.ts";
export { formatCursor, openEventSearch, parseCursor } from "./search/search.ts";
export type { EventFilter, EventPage, EventSearch, LoggedEvent } from "./search/search.ts";
