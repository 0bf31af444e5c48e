import { aboutCluster } from "../../access/index.ts";
import { kubeServerName, type SshLoginResponse, type WhoamiResponse } from "../../api/index.ts";
import type { AuthService, Identity } from "../../auth/index.ts";
import { parseCertificate } from "../../formats/index.ts";
import type { AdminOptions, KubeView } from "./types.ts";

/** A person as the cluster sees them now, and every Kubernetes cluster with what they are there. */
export function whoami(identity: Identity, auth: Pick<AuthService, "clusterName" | "gatekeeper">, kube: KubeView): WhoamiResponse {
  const clusters = kube.clusters.map(({ target, healthy, summary }) => {
    const decision = auth.gatekeeper.kube(identity, target);
    const refused = decision.groups.length > 0 ? undefined : aboutCluster(decision.reasons[0]?.text ?? "no role gives a Kubernetes group there", target.name);
    return {
      name: target.name,
      server_name: kubeServerName(target.name),
      labels: { ...target.labels },
      groups: [...decision.groups],
      ...(decision.users.length === 0 ? {} : { users: [...decision.users] }),
      ...(refused === undefined ? {} : { refused }),
      healthy,
      // What is wrong with a cluster is for those who may use it.
      ...(healthy || refused !== undefined || summary === undefined ? {} : { problem: summary }),
    };
  });
  return {
    username: identity.username,
    cluster: auth.clusterName,
    roles: identity.roles.roleNames.filter((role) => role !== "default-implicit-role"),
    logins: [...identity.roles.logins()],
    expires: identity.expires,
    kubernetes: {
      enabled: kube.enabled,
      ...(kube.publicAddr === undefined ? {} : { public_addr: kube.publicAddr }),
      ...(kube.defaultCluster === undefined ? {} : { default_cluster: kube.defaultCluster }),
      clusters,
    },
  };
}

/** The person of a login that was just issued, as the cluster sees them. */
export function accountOf(login: SshLoginResponse, { auth, authorities, kube }: Pick<AdminOptions, "auth" | "authorities" | "kube">): { readonly identity: Identity; readonly account: WhoamiResponse } {
  const { der } = parseCertificate(Buffer.from(login.tls_cert, "base64").toString());
  const identity = auth.gatekeeper.identify(authorities.identifyUser(der));
  return { identity, account: whoami(identity, auth, kube()) };
}
