import type { SshLimits } from "./types.ts";

/**
 * Defaults of {@link SshLimits}. An address may have more half-open connections than the burst of a hundred that Ansible makes, and a person more that lead to no host than
 * may be connected at once. A window as OpenSSH's own (2 MiB) lets
 * 40 MB/s through with 50 ms of delay.
 */
export const defaultSshLimits: SshLimits = {
  halfOpen: 1024,
  halfOpenPerAddress: 256,
  connections: 20_000,
  unusedPerPerson: 256,
  unusedTimeout: 3_600_000,
  channels: 256,
  dialsPerPerson: 128,
  hostsPerPerson: 4096,
  hosts: 20_000,
  dialTimeout: 10_000,
  handshakeTimeout: 15_000,
  authTimeout: 30_000,
  window: 2 * 1024 * 1024,
};
