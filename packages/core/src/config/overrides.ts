import { GatehouseError, didYouMean } from "../base/index.ts";
import { defaultPorts, parseListenAddress, parsePublicAddress } from "./address.ts";
import { ownCluster } from "./kubernetes.ts";
import { loadConfig, impliedSshListen } from "./load.ts";
import type { TextProblem } from "./reader.ts";
import type { ConfigOverrides, GatewayConfig, HostFacts } from "./types.ts";
import { clusterNameProblem } from "./values.ts";

function flag<T extends object>(name: string, value: string | undefined, parse: (text: string) => T | TextProblem): T | undefined {
  if (value === undefined) return undefined;
  const result = parse(value);
  if ("problem" in result) throw new GatehouseError("usage", `--${name}: "${value}" ${result.problem}`);
  return result;
}

const severities = ["debug", "info", "warn", "error"] as const;

function severity(value: string | undefined): GatewayConfig["log"]["severity"] | undefined {
  if (value === undefined) return undefined;
  const known = severities.find((name) => name === value.toLowerCase());
  if (known) return known;
  throw new GatehouseError("usage", `--log-level: "${value}" is not one of ${severities.join(", ")}${didYouMean(value, severities)}`);
}

function named(value: string | undefined): string | undefined {
  const problem = value === undefined ? undefined : clusterNameProblem(value);
  if (problem !== undefined) throw new GatehouseError("usage", `--cluster-name: "${value ?? ""}" ${problem}`);
  return value;
}

function kubernetes(config: GatewayConfig, clusterName: string, overrides: ConfigOverrides): GatewayConfig["kubernetes"] {
  const { kubernetes: before } = config;
  const listen = flag("kube-listen-addr", overrides.kubeListenAddr, (text) => parseListenAddress(text, defaultPorts.kube));
  const publicAddr = flag("kube-public-addr", overrides.kubePublicAddr, (text) => parsePublicAddress(text, defaultPorts.kube));
  const enabled = before.enabled || overrides.kubeconfigFile !== undefined;
  const kubeconfigFile = overrides.kubeconfigFile ?? before.kubeconfigFile;
  if (enabled && !before.enabled && !before.unnamed) {
    throw new GatehouseError("usage", "--kubeconfig-file turns Kubernetes on, and the file names clusters but keeps it off", { hint: "set proxy_service.kubernetes.enabled: yes in the file" });
  }
  // Clusters without a file of their own are in the one that is named for all.
  const named = before.clusters.map((cluster) => (cluster.kubeconfigFile === before.kubeconfigFile ? { ...cluster, kubeconfigFile } : cluster));
  const inPod = enabled && before.unnamed && kubeconfigFile === undefined;
  return {
    ...before,
    enabled,
    listen: listen ?? before.listen,
    publicAddrs: publicAddr ? [publicAddr] : before.publicAddrs,
    kubeconfigFile,
    clusters: before.unnamed ? (inPod ? [ownCluster(clusterName, before.labels)] : []) : named,
  };
}

/** The configuration with flags over it. Throws `usage`, naming the flag. */
export function applyOverrides(config: GatewayConfig, overrides: ConfigOverrides): GatewayConfig {
  const web = flag("web-listen-addr", overrides.webListenAddr, (text) => parseListenAddress(text, defaultPorts.web));
  const publicAddr = flag("public-addr", overrides.publicAddr, (text) => parsePublicAddress(text, defaultPorts.web));
  const ssh = flag("ssh-listen-addr", overrides.sshListenAddr, (text) => parseListenAddress(text, defaultPorts.ssh));
  const sshPublic = flag("ssh-public-addr", overrides.sshPublicAddr, (text) => parsePublicAddress(text, defaultPorts.ssh));
  const admin = flag("admin-listen-addr", overrides.adminListenAddr, (text) => parseListenAddress(text, defaultPorts.admin));
  const diag = flag("diag-addr", overrides.diagListenAddr, (text) => parseListenAddress(text, defaultPorts.diag));
  const clusterName = named(overrides.clusterName) ?? config.clusterName;
  return {
    ...config,
    clusterName,
    dataDir: overrides.dataDir ?? config.dataDir,
    web: { ...config.web, listen: web ?? config.web.listen, publicAddrs: publicAddr ? [publicAddr] : config.web.publicAddrs },
    ssh: {
      ...config.ssh,
      listen: ssh ?? (config.ssh.listenImplied ? impliedSshListen(web ?? config.web.listen) : config.ssh.listen),
      listenImplied: ssh === undefined && config.ssh.listenImplied,
      publicAddrs: sshPublic ? [sshPublic] : config.ssh.publicAddrs,
    },
    admin: { ...config.admin, listen: admin ?? config.admin.listen },
    diag: diag ? { listen: diag } : config.diag,
    kubernetes: kubernetes(config, clusterName, overrides),
    log: { ...config.log, severity: severity(overrides.logSeverity) ?? config.log.severity },
  };
}

/** File and flags in one: {@link loadConfig}, then {@link applyOverrides}. */
export function parseGatewayOptions(options: {
  readonly text: string;
  readonly filename: string;
  readonly overrides: ConfigOverrides;
  readonly host: HostFacts;
}): GatewayConfig {
  return applyOverrides(loadConfig(options.text, options.filename, options.host), options.overrides);
}
