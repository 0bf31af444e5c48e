import { createPrivateKey } from "node:crypto";
import { stringify } from "yaml";
import { GatehouseError } from "../../base/index.ts";
import { encodeOpenSshPrivateKey } from "../../formats/index.ts";
import type { Account } from "../kube-access.ts";
import { kubeContextNames } from "../kubeconfig/index.ts";
import { gatewayLine, type LoginRecord } from "../lean/index.ts";

/**
 * What a login is written as. `file`: one file for `-i` (reference §6.9). `openssh`: a private key and its certificate. `tls`: key, certificate and the
 * authorities of the gateway's own certificate. `kubernetes`: a kubeconfig with the credentials in it.
 */
export const identityFormats = ["file", "openssh", "kubernetes", "tls"] as const;
export type IdentityFormat = (typeof identityFormats)[number];

/** A file of an identity. */
export interface IdentityFile {
  readonly path: string;
  readonly text: string;
}

const line = (text: string): string => `${text.trim()}\n`;
const base64 = (text: string): string => Buffer.from(text).toString("base64");

/** v3's order, behind a line that says which gateway it is for. */
function fileText(record: LoginRecord, logins: readonly string[]): string {
  const { privateKey, sshCertificate, tlsCertificate, hostKeys, hostCertificates, cluster, proxy } = record;
  const comment = new URLSearchParams([...logins.map((login): [string, string] => ["logins", login]), ["type", "host"]]).toString();
  const authorities = hostKeys.map((key) => `@cert-authority *.${cluster} ${key} ${comment}`);
  return [gatewayLine(proxy), privateKey, sshCertificate, tlsCertificate, ...authorities, ...hostCertificates].map(line).join("");
}

function kubeconfigText(record: LoginRecord, account: Account): string {
  const { kubeAddress, kubeClusters, defaultCluster } = account;
  if (kubeAddress === undefined) throw new GatehouseError("not_found", "this gateway offers no Kubernetes");
  const usable = kubeClusters.filter(({ groups }) => groups.length > 0);
  if (usable.length === 0) throw new GatehouseError("access_denied", `there is no Kubernetes cluster that ${record.username} may use`, { hint: "a role gives groups there: kubernetes_groups" });
  const user = record.username;
  const named = usable.map((cluster) => ({ ...cluster, context: kubeContextNames({ gatehouseCluster: record.cluster, proxy: record.proxy }, cluster.name)[0] }));
  const chosen = named.find(({ name }) => name === (defaultCluster ?? record.cluster)) ?? named[0];
  return stringify(
    {
      apiVersion: "v1",
      kind: "Config",
      clusters: named.map(({ context, server_name }) => ({
        name: context,
        cluster: { server: `https://${kubeAddress}`, "tls-server-name": server_name, "certificate-authority-data": base64(record.hostCertificates.join("")) },
      })),
      users: [{ name: user, user: { "client-certificate-data": base64(record.tlsCertificate), "client-key-data": base64(record.privateKey) } }],
      contexts: named.map(({ context }) => ({ name: context, context: { cluster: context, user } })),
      "current-context": chosen?.context ?? "",
    },
    { lineWidth: 0 },
  );
}

const endings: Readonly<Record<IdentityFormat, readonly string[]>> = { file: [""], openssh: ["", "-cert.pub"], tls: [".key", ".crt", ".cas"], kubernetes: [""] };

/** The paths of what {@link identityFiles} makes. */
export function identityPaths(format: IdentityFormat, out: string): readonly string[] {
  return endings[format].map((ending) => `${out}${ending}`);
}

/** The files that a login is written as, beside `out`. Throws `not_found` and `access_denied` where there is no Kubernetes cluster for a kubeconfig. */
export function identityFiles(format: IdentityFormat, out: string, record: LoginRecord, account: Account): readonly IdentityFile[] {
  const texts = textsOf(format, record, account);
  return identityPaths(format, out).map((path, index) => ({ path, text: texts[index] ?? "" }));
}

function textsOf(format: IdentityFormat, record: LoginRecord, account: Account): readonly string[] {
  const { privateKey, sshCertificate, tlsCertificate, hostCertificates, username } = record;
  switch (format) {
    case "file":
      return [fileText(record, account.logins)];
    case "openssh":
      return [encodeOpenSshPrivateKey(createPrivateKey(privateKey), username), line(sshCertificate)];
    case "tls":
      return [line(privateKey), line(tlsCertificate), hostCertificates.map(line).join("")];
    case "kubernetes":
      return [kubeconfigText(record, account)];
  }
}
