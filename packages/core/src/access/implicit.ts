import { implicitRoleName, type Role } from "../resources/index.ts";

const nothing = { logins: [], node_labels: {}, kubernetes_groups: [], kubernetes_users: [], kubernetes_labels: {}, rules: [] };
const look = ["list", "read"];

/** The role that everyone has and that is never stored (reference §8.6): a few things to look at, no limit of time, no access. */
export const implicitRole: Role = {
  kind: "role",
  version: "v3",
  metadata: { name: implicitRoleName },
  spec: {
    options: {
      max_session_ttl: 0,
      forward_agent: false,
      // True would give port forwarding to everyone, whatever their roles say.
      port_forwarding: false,
      cert_format: "standard",
      client_idle_timeout: 0,
      disconnect_expired_cert: false,
      allow_system_groups_from_traits: false,
      kubernetes_node_proxy: false,
      record_stdin: false,
      headless_login: true,
      certificate_renewal: "local",
      max_sessions: 0,
      source_addresses: [],
      x11_forwarding: false,
    },
    allow: {
      ...nothing,
      rules: [
        { resources: ["node", "auth_server", "tunnel", "cluster_auth_preference", "cluster_name", "ssh_session"], verbs: look },
        { resources: ["cert_authority"], verbs: ["list", "readnosecrets"] },
        // One's own sessions; whoever took part in another's has no lasting right to it by that.
        { resources: ["session"], verbs: look, where: "equals(session.user, user.metadata.name)" },
      ],
    },
    deny: nothing,
  },
};
