import { writeFileAtomic, type ClientHome, type KeystoreKind, type LoginRecord, type LoginStore } from "./lean/index.ts";
import { changeHome, readProfile, writeProfile } from "./profiles.ts";
import { knownHostsText } from "./ssh/known-hosts.ts";

/** A renewed login and where it goes. */
export interface RenewedLogin {
  readonly home: ClientHome;
  readonly name: string;
  readonly before: LoginRecord;
  readonly renewed: LoginRecord;
  readonly open: (kind: KeystoreKind) => LoginStore;
}

/**
 * Puts a renewed login where the one before it is kept now, and its end and its hosts' authorities into profile and known hosts. False, and nothing changed, where that one has
 * gone meanwhile: another login has taken its place, or a logout. One process at a time. Throws what keystore and files refuse with: the caller has the only copy then.
 */
export async function storeRenewed({ home, name, before, renewed, open }: RenewedLogin): Promise<boolean> {
  return changeHome(home, async () => {
    const profile = await readProfile(home, name);
    if (profile?.keystore === undefined) return false;
    const logins = open(profile.keystore);
    if ((await logins.read(name))?.tlsCertificate !== before.tlsCertificate) return false;
    await logins.write(name, renewed);
    await writeFileAtomic(home.knownHosts(name), knownHostsText(renewed), 0o600);
    await writeProfile(home, name, { ...profile, valid_until: new Date(renewed.expires).toISOString() });
    return true;
  });
}
