/** Resource files in the manner of v3's documentation, for tests. */
export const fixtures = {
  role: `
# Every comment, quote and empty section as people write them.
kind: role
version: v3
metadata:
  name: admin
spec:
  options:
    max_session_ttl: 8h
    forward_agent: yes
    port_forwarding: true
    client_idle_timeout: never
    disconnect_expired_cert: no
  allow:
    logins: [root, '{{ internal.logins }}', '{{external["http://schemas.example.com/claims/account"]}}']
    kubernetes_groups: ["system:masters", "{{external.trait_name}}"]
    node_labels:
      'environment': ['test', 'staging']
      'team': '^web|db$'
      '*': '*'
    rules:
    - resources: [role]
      verbs: [list, create, read, update, delete]
    - resources: [auth_connector]
      verbs: [connect, list, create, read, update, delete]
    - resources: [session]
      verbs: [list, read]
      where: contains(user.spec.traits["groups"], "auditors")
      actions: ['log("info", "looked at a session")']
    - resources: ['*']
      verbs: ['*']
  deny: {}
`,
  intern: `
kind: role
version: v3
metadata: {name: intern, namespace: default}
spec:
  allow:
    node_labels: {env: stage}
    namespaces: [default]
  deny:
    node_labels: {workload: [database, backup]}
    logins: null
`,
  roleV2: `
kind: role
version: v2
metadata: {name: old}
spec:
  max_session_ttl: 90h0m0s
  logins: [root]
  node_labels: {'*': '*'}
  namespaces: [default]
  resources: {role: [read, write], session: [read], event: [write]}
  forward_agent: true
`,
  user: `
kind: user
version: v2
metadata: {name: ana@example.com, expires: 2030-01-02T03:04:05.678Z}
spec:
  roles: [admin]
  traits: {logins: [ana, root], kubernetes_groups: [edit], groups: null}
  expires: "0001-01-01T00:00:00Z"
  status: {is_locked: false, locked_message: "", locked_time: "0001-01-01T00:00:00Z", lock_expires: "0001-01-01T00:00:00Z"}
  created_by: {connector: {type: github, id: gh, identity: ana}, time: 2020-01-01T00:00:00Z, user: {name: system}}
  github_identities: [{connector_id: gh, username: ana}]
`,
  userV1: `
kind: user
name: bo
allowed_logins: [bo]
kubernetes_groups: [view]
roles: [admin]
`,
  github: `
kind: github
version: v3
metadata:
  # the name in: tsh login --auth=github
  name: github
spec:
  client_id: <client-id>
  client_secret: <client-secret>
  display: Github
  redirect_url: https://teleport.example.com:3080/v1/webapi/github/callback
  teams_to_logins:
    - organization: octocats
      team: admin
      logins:
        - root
      kubernetes_groups: ["system:masters"]
    - {organization: octocats, team: devs, kubernetes_groups: [edit]}
  teams_to_roles:
    - {organization: octocats, team: sre, roles: [access]}
`,
  preference: `
kind: cluster_auth_preference
version: v2
metadata:
  description: ""
  name: "cluster-auth-preference"
spec:
  type: github
  second_factor: off
`,
  token: `
kind: token
version: v2
metadata: {name: 0123456789abcdef0123456789abcdef, expires: "2030-01-01T00:00:00Z"}
spec: {roles: [node, Proxy]}
`,
} as const;
