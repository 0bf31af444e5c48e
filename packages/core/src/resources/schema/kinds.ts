/** Kinds that an admin rule may name (reference §8.4). */
export const ruleKinds = [
  "*", "namespace", "user", "key_pair", "host_cert", "license", "role", "oidc", "saml", "github", "oidc_request", "saml_request", "github_request", "session",
  "ssh_session", "web_session", "event", "auth_server", "proxy", "node", "token", "cert_authority", "tunnel", "tunnel_connection", "cluster_auth_preference",
  "cluster_config", "cluster_name", "lock", "bot", "static_tokens", "trusted_cluster", "remote_cluster", "auth_connector", "identity", "state",
] as const;

/** Verbs of an admin rule. v3's documentation has `connect` too, which no check ever asks for. */
export const ruleVerbs = ["*", "list", "create", "read", "readnosecrets", "update", "delete", "rotate", "connect"] as const;

/** Built-in roles of machines (reference §4.6): no person's role may have such a name. */
export const systemRoles = ["Auth", "Web", "Node", "Admin", "ProvisionToken", "Trusted_cluster", "Trustedcluster", "Signup", "Proxy", "Nop", "RemoteProxy"] as const;

/** The role that everyone has and that is never stored (reference §8.6). */
export const implicitRoleName = "default-implicit-role";
