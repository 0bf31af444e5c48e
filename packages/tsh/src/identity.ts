import { parseCertificate } from "@gatehouse/core/formats";
import { readIdentityFile, type LoginRecord, type Profile } from "@gatehouse/core/client";

/** An identity file's login, and what its certificate says of roles and logins, which the gateway may see otherwise by now. `now` in ms since the epoch. */
export async function readIdentity(path: string, proxy: string | undefined, now: number): Promise<{ readonly record: LoginRecord; readonly profile: Profile }> {
  const record = await readIdentityFile(path, { env: process.env, proxy, now });
  const { O: roles = [], L: logins = [] } = parseCertificate(record.tlsCertificate).subject;
  return { record, profile: { web_proxy_addr: record.proxy, user: record.username, cluster: record.cluster, roles: [...roles].sort(), logins: [...logins].sort() } };
}
