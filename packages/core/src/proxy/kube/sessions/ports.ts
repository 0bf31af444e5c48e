import { port } from "../../../audit/index.ts";
import type { PortConnection } from "../../../formats/index.ts";
import type { ForwardedConnection } from "../../sessions/index.ts";
import type { Grant } from "../authorize.ts";
import type { KubeSessionContext } from "./sessions.ts";
import type { StreamSession } from "./types.ts";

/** Begins the session of a port-forward. */
export function openPorts({ sessions, kill }: KubeSessionContext, grant: Grant, sid: string): StreamSession {
  const { user, kubernetesUser } = grant;
  const { remoteAddress, localAddress, clusterName: cluster } = grant.connection;
  const { namespace, name: pod } = grant.path;
  const session = sessions.openPorts({
    sid,
    user,
    place: { proto: "kube", cluster, namespace, pod, container: "", login: "", node: "", nodeId: "" },
    address: remoteAddress,
    kill: (message) => kill(sid, message),
    event: (addr, error, counts) =>
      port({
        user,
        login: user,
        kubernetesCluster: cluster,
        kubernetesNamespace: namespace,
        pod,
        origin: { remoteAddress, localAddress },
        addr: addr === "" ? pod : `${pod}:${addr}`,
        error,
        fields: { sid, server_id: sessions.serverId, action: "connection", kubernetes_user: kubernetesUser, ...counts },
      }),
  });
  const known = new Map<PortConnection, ForwardedConnection>();
  return {
    sid,
    sinks: {
      ports: {
        opened: (connection) => {
          const forwarded = forwardedOf(connection);
          known.set(connection, forwarded);
          session.opened(forwarded);
        },
        closed: (connection) => {
          const forwarded = known.get(connection);
          if (forwarded === undefined) return;
          known.delete(connection);
          session.closed(forwarded);
        },
      },
    },
    behind: false,
    problem: undefined,
    started: () => [],
    blind: () => undefined,
    run: (stream) => session.run(stream),
    tick: (now) => session.tick(now),
    end: () => session.end(),
    drop: () => session.drop(),
  };
}

/** It counts on while it is open. */
function forwardedOf(connection: PortConnection): ForwardedConnection {
  return {
    addr: String(connection.port),
    get sent() {
      return connection.sent;
    },
    get received() {
      return connection.received;
    },
    get error() {
      return connection.error;
    },
  };
}
