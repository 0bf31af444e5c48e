import { hostname, homedir } from "node:os";
import { isAbsolute, join } from "node:path";
import { GatehouseError } from "../base/index.ts";
import { anyHost, defaultPorts } from "./address.ts";
import { kubernetesConfig } from "./kubernetes.ts";
import { readYaml, type Reader } from "./reader.ts";
import { configFile, type ConfigFile } from "./schema.ts";
import type { GatewayConfig, HostFacts, ListenAddress } from "./types.ts";
import { clusterNameProblem } from "./values.ts";

const defaultStaleness = 5000;

/** The facts of the machine that this process runs on. */
export function hostFacts(): HostFacts {
  return { env: process.env, uid: process.getuid?.(), hostname: hostname(), homeDirectory: homedir() };
}

/** Where state is kept unless told otherwise: `/var/lib/teleport` for root, else the user's state directory (XDG base directories). */
export function defaultDataDir({ env, uid, homeDirectory }: HostFacts): string {
  if (uid === 0) return "/var/lib/teleport";
  const state = env["XDG_STATE_HOME"];
  return join(state !== undefined && isAbsolute(state) ? state : join(homeDirectory, ".local", "state"), "gatehouse");
}

/** The text and name of the file, unless `TELEPORT_CONFIG` (base64 of YAML) replaces it. */
function chooseText(text: string, filename: string, host: HostFacts): { readonly text: string; readonly name: string } {
  const encoded = host.env["TELEPORT_CONFIG"];
  if (encoded === undefined || encoded === "") return { text, name: filename };
  const name = "TELEPORT_CONFIG";
  const compact = encoded.replace(/\s+/g, "");
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(compact)) {
    throw new GatehouseError("bad_parameter", `${name} is not base64`, { hint: "set it to the output of: base64 < teleport.yaml" });
  }
  return { text: Buffer.from(compact, "base64").toString("utf8"), name };
}

/** What no single key can tell: keys that belong together, and what has no effect in this version. */
const wholeFile: Reader<ConfigFile> = (reading, place) => {
  const file = configFile(reading, place);
  if (!file) return undefined;
  const { auth_service: auth, proxy_service: proxy } = file;
  if (proxy && (proxy.https_key_file === undefined) !== (proxy.https_cert_file === undefined)) {
    reading.problem(proxy.at, "https_key_file and https_cert_file are given together or not at all");
  }
  if (proxy?.listen_addr !== undefined && proxy.ssh_listen_addr !== undefined) {
    reading.problem(proxy.at, "listen_addr and ssh_listen_addr are two names of one thing: give one");
  }
  const authentication = auth?.authentication;
  if (authentication && (authentication.type === "oidc" || authentication.type === "saml")) {
    reading.warn(authentication.at, `this version has no ${authentication.type} connectors: nobody can log in with one`);
  }
  if (auth?.session_recording === "off") {
    reading.warn(auth.at, `session_recording off: no session is recorded, whatever roles${file.audit?.recording === undefined ? "" : " and audit.recording"} say`);
  }
  if (auth?.disconnect_expired_cert === false) reading.warn(auth.at, "disconnect_expired_cert no has no effect: streams end with the certificate that opened them");
  if (file.teleport?.log?.output === "syslog") reading.warn(file.teleport.log.at, "output syslog is not supported: the log goes to stderr");
  const kubernetes = proxy?.kubernetes;
  if (kubernetes && kubernetes.enabled === undefined) {
    reading.warn(kubernetes.at, "the Kubernetes proxy stays off without enabled: yes");
  }
  const witnessed = file.audit?.witness_for ?? [];
  if (file.audit && new Set(witnessed.map(({ name }) => name)).size < witnessed.length) reading.problem(file.audit.at, "witness_for: two gateways have the same name");
  const names = (kubernetes?.clusters ?? []).map((cluster) => cluster.name);
  for (const [index, cluster] of (kubernetes?.clusters ?? []).entries()) {
    if (cluster.name === undefined) reading.problem(cluster.at, "has no valid name");
    else if (names.indexOf(cluster.name) < index) reading.problem(cluster.at, `is the second one with the name "${cluster.name}"`);
  }
  return file;
};

function logOutput(output: string | undefined): GatewayConfig["log"]["output"] {
  if (output === undefined || output === "" || output === "stderr" || output === "syslog") return "stderr";
  return output === "stdout" ? "stdout" : { file: output };
}

/** Where SSH listens unless told: beside the web. */
export function impliedSshListen(web: ListenAddress): ListenAddress {
  return { host: web.host, port: web.port === 0 ? 0 : defaultPorts.ssh };
}

const listen = (given: ListenAddress | undefined, port: number): ListenAddress => given ?? { host: anyHost, port };

/**
 * The gateway's configuration from the text of `teleport.yaml` (empty: all defaults). `TELEPORT_CONFIG` in the host's environment replaces
 * the text. Throws `bad_parameter` with every problem of the file, one `file:line:column path: problem` a line.
 */
export function loadConfig(text: string, filename: string, host: HostFacts = hostFacts()): GatewayConfig {
  const source = chooseText(text, filename, host);
  const { value: file, warnings } = readYaml(source.text, source.name, wholeFile);
  const teleport = file?.teleport;
  const auth = file?.auth_service;
  const proxy = file?.proxy_service;

  const clusterName = auth?.cluster_name ?? host.hostname;
  const nameProblem = clusterNameProblem(clusterName);
  if (nameProblem !== undefined) {
    throw new GatehouseError("bad_parameter", `this machine's host name "${clusterName}" ${nameProblem}`, { hint: "set auth_service.cluster_name" });
  }
  return {
    nodeName: teleport?.nodename ?? host.hostname,
    clusterName,
    dataDir: teleport?.data_dir ?? defaultDataDir(host),
    web: {
      listen: listen(proxy?.web_listen_addr, defaultPorts.web),
      publicAddrs: proxy?.public_addr ?? [],
      httpsKeyFile: proxy?.https_key_file,
      httpsCertFile: proxy?.https_cert_file,
    },
    ssh: {
      enabled: proxy?.ssh_enabled ?? true,
      listen: proxy?.ssh_listen_addr ?? proxy?.listen_addr ?? impliedSshListen(listen(proxy?.web_listen_addr, defaultPorts.web)),
      listenImplied: proxy?.ssh_listen_addr === undefined && proxy?.listen_addr === undefined,
      publicAddrs: proxy?.ssh_public_addr ?? [],
      recording: proxy?.ssh_recording ?? "proxy",
      sourceAddresses: proxy?.ssh_source_addresses ?? [],
    },
    admin: { listen: listen(auth?.listen_addr, defaultPorts.admin), publicAddrs: auth?.public_addr ?? [] },
    diag: teleport?.diag_addr && { listen: teleport.diag_addr },
    kubernetes: kubernetesConfig(proxy?.kubernetes, clusterName),
    authentication: {
      type: auth?.authentication?.type ?? "local",
      secondFactor: auth?.authentication?.second_factor ?? "off",
      rpId: auth?.authentication?.webauthn?.rp_id,
      requireSessionMfa: auth?.authentication?.require_session_mfa ?? false,
      connectorName: auth?.authentication?.connector_name,
      localAuth: auth?.authentication?.local_auth ?? true,
    },
    caPins: teleport?.ca_pin ?? [],
    log: { output: logOutput(teleport?.log?.output), severity: teleport?.log?.severity ?? "info" },
    audit: {
      sync: file?.audit?.sync ?? "group",
      // v3's `node` and `proxy` say where a session is recorded; here that is always the gateway.
      recording: auth?.session_recording === "off" ? "off" : (file?.audit?.recording ?? "strict"),
      witnesses: file?.audit?.witnesses ?? [],
      witnessFor: file?.audit?.witness_for ?? [],
      retention: file?.audit?.retention ?? 0,
    },
    clientIdleTimeout: auth?.client_idle_timeout ?? 0,
    disconnectExpiredCert: auth?.disconnect_expired_cert ?? true,
    maxStaleness: auth?.max_staleness ?? defaultStaleness,
    maxConnections: teleport?.connection_limits?.max_connections,
    warnings,
  };
}
