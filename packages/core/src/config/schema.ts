import { defaultPorts } from "./address.ts";
import { audit } from "./audit.ts";
import { boolean, ignored, integer, listOf, oneOf, refused, section, text, type Reader } from "./reader.ts";
import { relyingPartyProblem, u2fGone, type SecondFactor } from "../resources/index.ts";
import { addressRanges, caPin, clusterName, duration, kubeName, labels, listenAddress, publicAddresses } from "./values.ts";

/** `teleport.yaml`, key by key (reference §11). Keys that v3 does not have: `audit`, `diag_addr`, `local_auth`, `max_staleness`, `clusters`, `labels`, and those of `proxy_service` that begin with `ssh_`, but for `ssh_public_addr`. */

const elsewhere = ignored("belongs to another service than this gateway, and has no effect here");
const ownCrypto = ignored("has no effect: algorithms are chosen by Gatehouse and cannot be weakened");
const ownStore = ignored("has no effect: the store is in the data directory");
const ownAuth = ignored("has no effect: the gateway carries its own auth service");
const asResource = ignored("has no effect: create it with tctl create -f");
const noTunnels = ignored("has no effect: there are no reverse tunnels, hosts are reached at their addresses");
const ownKeepAlive = ignored("has no effect: the gateway finds out by itself which clients are gone");
const noU2f = ignored("has no effect: U2F is gone, write second_factor: webauthn, which takes the same security keys");

const onlyEnabled = (name: string): Reader<boolean> => (reading, place) => {
  const enabled = boolean(reading, place);
  if (enabled === false) reading.problem(place, `the gateway cannot run without its ${name}: remove this line`);
  return enabled;
};

const proxyProtocol: Reader<boolean> = (reading, place) => {
  const on = boolean(reading, place);
  if (on === true) reading.warn(place, "is not supported: addresses in the audit log are those of the balancer");
  return on;
};

const log = section({
  output: text,
  severity: oneOf(["debug", "info", "warn", "error"], { warning: "warn", err: "error" }),
});

const storage = section({
  type: (reading, place) => {
    const type = oneOf(["dir", "bolt", "sqlite", "etcd", "dynamodb"])(reading, place);
    if (type === "etcd" || type === "dynamodb") reading.problem(place, `state in ${type} is not supported: this version keeps it in the data directory`);
    else reading.warn(place, "has no effect: the store is SQLite in the data directory");
    return type;
  },
  path: ownStore,
  region: ownStore,
  table_name: ownStore,
  peers: ownStore,
  prefix: ownStore,
  tls_key_file: ownStore,
  tls_cert_file: ownStore,
  tls_ca_file: ownStore,
  access_key: ownStore,
  secret_key: ownStore,
  audit_events_uri: ignored("has no effect: events are written under the data directory"),
  audit_sessions_uri: ignored("has no effect: recordings are written under the data directory"),
  audit_table_name: ownStore,
});

const teleport = section({
  nodename: text,
  data_dir: text,
  pid_file: ignored("has no effect: let the service manager keep the process id"),
  auth_token: ownAuth,
  auth_servers: ownAuth,
  ca_pin: listOf(caPin),
  advertise_ip: ignored("has no effect: use public_addr"),
  connection_limits: section({
    max_connections: integer(1, 1_000_000),
    max_users: ignored("has no effect"),
    rates: ignored("has no effect: login attempts are limited anyway"),
  }),
  log,
  storage,
  cache: ignored("has no effect: decisions are made from memory anyway"),
  seed_config: ignored("has no effect"),
  keys: ownAuth,
  ciphersuites: ownCrypto,
  ciphers: ownCrypto,
  kex_algos: ownCrypto,
  mac_algos: ownCrypto,
  diag_addr: listenAddress(defaultPorts.diag),
});

const secondFactor: Reader<SecondFactor> = (reading, place) => {
  if (text(reading, place)?.toLowerCase() === "u2f") {
    reading.problem(place, u2fGone);
    return undefined;
  }
  return oneOf(["off", "otp", "webauthn", "on", "optional"], { no: "off", false: "off", yes: "on", true: "on" })(reading, place);
};

const relyingPartyId: Reader<string> = (reading, place) => {
  const host = text(reading, place)?.toLowerCase();
  const problem = host === undefined ? undefined : relyingPartyProblem(host);
  if (problem !== undefined) reading.problem(place, problem);
  return host;
};

const authentication = section({
  type: oneOf(["local", "github", "oidc", "saml"]),
  second_factor: secondFactor,
  webauthn: section({ rp_id: relyingPartyId }),
  require_session_mfa: (reading, place) => {
    const required = boolean(reading, place);
    if (required === true) reading.warn(place, "is kept, but is not in force in this version: a login's second factor is asked for once");
    return required;
  },
  connector_name: text,
  local_auth: boolean,
  u2f: noU2f,
  oidc: ignored("has no effect: use connector_name"),
});

const authService = section({
  enabled: onlyEnabled("auth service"),
  listen_addr: listenAddress(defaultPorts.admin),
  proxy_protocol: proxyProtocol,
  cluster_name: clusterName,
  public_addr: publicAddresses(defaultPorts.admin),
  tokens: ignored("has no effect: nothing joins by a static token in this version"),
  authentication,
  session_recording: oneOf(["node", "proxy", "off"]),
  proxy_checks_host_keys: (reading, place) => {
    const checked = boolean(reading, place);
    if (checked === false) reading.warn(place, "has no effect: a host without a certificate of this cluster is never connected to");
    return checked;
  },
  client_idle_timeout: duration,
  disconnect_expired_cert: boolean,
  keep_alive_interval: ownKeepAlive,
  keep_alive_count_max: ownKeepAlive,
  license_file: ignored("has no effect: there is no licence to check"),
  authorities: ownAuth,
  reverse_tunnels: noTunnels,
  oidc_connectors: asResource,
  u2f: noU2f,
  trusted_clusters: asResource,
  dynamic_config: refused("is gone: resources are always changed with tctl"),
  kubeconfig_file: ignored("has no effect here: it moved to proxy_service.kubernetes"),
  max_staleness: duration,
});

const kubernetesCluster = section({ name: kubeName, kubeconfig_file: text, context: text, labels });

const kubernetes = section({
  enabled: boolean,
  listen_addr: listenAddress(defaultPorts.kube),
  public_addr: publicAddresses(defaultPorts.kube),
  kubeconfig_file: text,
  labels,
  clusters: listOf(kubernetesCluster),
});

const proxyService = section({
  enabled: onlyEnabled("proxy service"),
  listen_addr: listenAddress(defaultPorts.ssh),
  ssh_enabled: boolean,
  ssh_listen_addr: listenAddress(defaultPorts.ssh),
  ssh_recording: oneOf(["proxy", "off"]),
  ssh_source_addresses: addressRanges,
  web_listen_addr: listenAddress(defaultPorts.web),
  tunnel_listen_addr: noTunnels,
  https_key_file: text,
  https_cert_file: text,
  proxy_protocol: proxyProtocol,
  public_addr: publicAddresses(defaultPorts.web),
  ssh_public_addr: publicAddresses(defaultPorts.ssh),
  tunnel_public_addr: noTunnels,
  kubernetes,
});

const sshService = section({
  enabled: (reading, place) => {
    const enabled = boolean(reading, place);
    if (enabled === true) reading.warn(place, "has no effect: this gateway is no SSH host");
    return enabled;
  },
  listen_addr: elsewhere,
  namespace: elsewhere,
  labels: elsewhere,
  commands: elsewhere,
  permit_user_env: elsewhere,
  pam: elsewhere,
  public_addr: elsewhere,
});

/** The whole file. */
export const configFile = section({
  version: oneOf(["v1", "v2", "v3"]),
  teleport,
  auth_service: authService,
  proxy_service: proxyService,
  ssh_service: sshService,
  audit,
});

type ValueOf<R> = R extends Reader<infer T> ? T : never;

/** What {@link configFile} reads. */
export type ConfigFile = ValueOf<typeof configFile>;
export type KubernetesSection = ValueOf<typeof kubernetes>;
