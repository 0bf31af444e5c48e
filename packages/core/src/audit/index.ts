/** The log of events: JSON lines, one file a day, written before what they tell of is answered. */
export { openAuditLog } from "./log.ts";
export type { AuditLogOptions } from "./log.ts";
export { auditEvents, authFailed, clientDisconnect, exec, port, resourceChange, userLogin } from "./events.ts";
export type { EventFields, EventOrigin, KubeStreamFields } from "./events.ts";
export type { AuditEvent, AuditEventInput, AuditLog, EventValue } from "./types.ts";
