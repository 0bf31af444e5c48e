/**
 * Key id of a certificate for one connection: what the host's log shows, and by which a revocation list finds it. `session` is the id of the person's login session: with it end
 * all certificates that were minted for it.
 */
export function connectionKeyId(username: string, session: string): string {
  return `${username} session=${session}`;
}
