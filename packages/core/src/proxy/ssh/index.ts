/** The SSH proxy: connections to hosts, decided, dialled, and passed on or recorded. */
export { createSshProxy } from "./proxy.ts";
export type { SshLimits, SshProxy, SshProxyOptions } from "./types.ts";
