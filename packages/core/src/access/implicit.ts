import { defaultRoleOptions, implicitRoleName, type Role } from "../resources/index.ts";

const nothing = { logins: [], node_labels: {}, kubernetes_groups: [], kubernetes_users: [], kubernetes_labels: {}, rules: [] };
const look = ["list", "read"];

/** The role that everyone has and that is never stored (reference §8.6): a few things to look at, no limit of time, no access. */
export const implicitRole: Role = {
  kind: "role",
  version: "v3",
  metadata: { name: implicitRoleName },
  spec: {
    options: {
      ...defaultRoleOptions,
      max_session_ttl: 0,
      // True would give port forwarding to everyone, whatever their roles say.
      port_forwarding: false,
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
