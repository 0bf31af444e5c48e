/** SSH to a host without OpenSSH: connections, sessions and files over ssh2. */
export { openOwnConnection } from "./connect.ts";
export type { OwnConnection, OwnConnectOptions } from "./connect.ts";
export { exitOf, openSession } from "./run.ts";
export type { TerminalRequest } from "./run.ts";
export type { ClientChannel } from "ssh2";
export { openFiles } from "./files.ts";
export type { CopyOptions, HostEntry, HostFiles } from "./files.ts";
