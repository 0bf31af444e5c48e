import { GatehouseError } from "../base/index.ts";

/** Roles of machines (reference §4.6). A person's certificate that named one would pass for a machine's with v3 peers. */
export const systemRoles: ReadonlySet<string> = new Set([
  "Auth", "Web", "Node", "Admin", "ProvisionToken", "Trusted_cluster", "Trustedcluster", "Signup", "Proxy", "Nop", "RemoteProxy",
]);

/** Login names that no host has: an empty principal list would be read as every login by some servers. */
export const noLogins = "-no-logins-";

const maxName = 256;

/** Throws `bad_parameter` unless `name` is 1 to 256 characters without control characters. */
export function checkName(name: string, what: string): void {
  if (name === "" || name.length > maxName || /[\u0000-\u001f\u007f-\u009f\p{Surrogate}]/u.test(name)) {
    throw new GatehouseError("bad_parameter", `${what} has to be 1 to ${maxName} characters, none of them a control character`);
  }
}

/** Throws `bad_parameter` for a name that no person may have: Kubernetes would take `system:…` for one of its own. */
export function checkUsername(name: string): void {
  checkName(name, "a user name");
  if (name.startsWith("system:")) throw new GatehouseError("bad_parameter", `the user name ${JSON.stringify(name)} is reserved: no name may begin with "system:"`);
}

/** Throws `bad_parameter` unless `name` can be part of a host name: it is, in host certificates and in `known_hosts` patterns. */
export function checkClusterName(name: string): void {
  if (name.length > 190 || !/^[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?$/.test(name)) {
    throw new GatehouseError("bad_parameter", `${JSON.stringify(name)} cannot be a cluster's name`, { hint: "use letters, digits, dots and hyphens, at most 190 characters" });
  }
}
