import { defaultRoleOptions } from "./schema/role.ts";
import type { Role, RoleConditions, Rule } from "./types.ts";

const empty: RoleConditions = { logins: [], node_labels: {}, kubernetes_groups: [], kubernetes_users: [], kubernetes_labels: {}, rules: [] };
const change = ["list", "create", "read", "update", "delete"];
const look = ["list", "read"];

function preset(name: string, description: string, forwardAgent: boolean, rules: readonly Rule[]): Role {
  return {
    kind: "role",
    version: "v3",
    metadata: { name, description },
    spec: {
      options: { ...defaultRoleOptions, forward_agent: forwardAgent },
      allow: {
        logins: ["{{internal.logins}}"],
        node_labels: { "*": ["*"] },
        kubernetes_groups: ["{{internal.kubernetes_groups}}"],
        kubernetes_users: [],
        kubernetes_labels: { "*": ["*"] },
        rules,
      },
      deny: empty,
    },
  };
}

/**
 * The roles that a new cluster begins with: `admin` (reference §8.6, and what an administrator of this system needs besides) and
 * `access`, which people from `teams_to_logins` get (DESIGN "Where we depart from v3").
 */
export function presetRoles(): Role[] {
  return [
    preset("admin", "Administers the cluster", true, [
      { resources: ["role", "user", "auth_connector", "trusted_cluster", "token", "bot", "node", "cluster_auth_preference", "lock"], verbs: change },
      // To delete a session is to end a live one.
      { resources: ["session"], verbs: [...look, "delete"] },
      { resources: ["event"], verbs: look },
      { resources: ["host_cert"], verbs: ["create"] },
    ]),
    preset("access", "Reaches hosts and Kubernetes with the logins and groups of the person's traits", false, []),
  ];
}
