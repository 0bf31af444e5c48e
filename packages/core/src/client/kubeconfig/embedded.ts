import { X509Certificate } from "node:crypto";
import type { LoginRecord } from "../lean/index.ts";
import { embeddedUsers } from "./entries.ts";
import { changeKubeconfig, readKubeconfig, type KubeconfigFile } from "./files.ts";

/** Whether a certificate in kubeconfig may give way to the login's: one over the same key that does not last longer. Anything else is not of this login. */
function precedes(present: string, renewed: X509Certificate): boolean {
  try {
    const certificate = new X509Certificate(Buffer.from(present, "base64"));
    return certificate.publicKey.equals(renewed.publicKey) && Date.parse(certificate.validTo) <= Date.parse(renewed.validTo);
  } catch {
    return false;
  }
}

/**
 * Gives the entries of one kubeconfig into which this login was written its newest certificate. True where one was changed. Untouched stay entries with another key, those that
 * somebody else has changed, and a file that is not there. Throws `internal` for a file that cannot be read, locked or written.
 */
export async function renewEmbedded(path: string, { proxy, privateKey, tlsCertificate }: Pick<LoginRecord, "proxy" | "privateKey" | "tlsCertificate">): Promise<boolean> {
  const [key, certificate] = [privateKey, tlsCertificate].map((text) => Buffer.from(text).toString("base64"));
  const renewed = new X509Certificate(tlsCertificate);
  const behind = ({ document }: KubeconfigFile): ReturnType<typeof embeddedUsers> => embeddedUsers(document, proxy).filter((user) => user.key === key && user.certificate !== certificate && precedes(user.certificate, renewed));
  // Most of the time there is nothing to do, and kubectl need not wait for the lock.
  if (behind(await readKubeconfig(path)).length === 0) return false;
  return changeKubeconfig(
    [path],
    (files) => {
      const users = files.flatMap(behind);
      for (const user of users) user.replace(certificate ?? "");
      return users.length > 0;
    },
    { secret: true },
  );
}
