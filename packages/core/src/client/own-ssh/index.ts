/** SSH to a host without OpenSSH: connections, sessions and files over ssh2. */
export { openOwnConnection } from "./connect.ts";
export type { OwnConnection, OwnConnectOptions } from "./connect.ts";
export { openSession } from "./run.ts";
export type { OwnSession, TerminalRequest } from "./run.ts";
export { openFiles } from "./files.ts";
export type { CopyOptions, HostEntry, HostFiles } from "./files.ts";
