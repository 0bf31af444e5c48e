import type { SecondFactor } from "../resources/index.ts";

/** Where to listen: an IP address or host name, and a port; port 0 chooses a free one. */
export interface ListenAddress {
  readonly host: string;
  readonly port: number;
}

/** Where clients reach something from outside. */
export interface PublicAddress {
  readonly host: string;
  readonly port: number;
}

/** A Kubernetes cluster behind this gateway. */
export interface KubernetesClusterConfig {
  /** 1 to 31 of `A-Za-z0-9._-`: as hex it is one label of a TLS server name. */
  readonly name: string;
  /** Absent: the service account of the pod that the gateway runs in. */
  readonly kubeconfigFile: string | undefined;
  /** Absent: the kubeconfig's current context. */
  readonly context: string | undefined;
  readonly labels: Readonly<Record<string, string>>;
}

/** `proxy_service.kubernetes`. */
export interface KubernetesConfig {
  readonly enabled: boolean;
  readonly listen: ListenAddress;
  readonly publicAddrs: readonly PublicAddress[];
  /** Clusters of `kubernetes.clusters`, and the pod's own where neither they nor a kubeconfig are given. Empty where `enabled` is false. */
  readonly clusters: readonly KubernetesClusterConfig[];
  /** Every context of this kubeconfig is a cluster too, and its current one the default; without it the first of `clusters` is the default. */
  readonly kubeconfigFile: string | undefined;
  /** Labels of the kubeconfig's contexts; those that `clusters` names have them already. */
  readonly labels: Readonly<Record<string, string>>;
  /** No cluster is named in the file: a cluster that is the only one goes by the name of the gateway's own cluster. */
  readonly unnamed: boolean;
}

/** The SSH proxy: `ssh_…` of `proxy_service`. */
export interface SshConfig {
  readonly enabled: boolean;
  readonly listen: ListenAddress;
  /** The file does not say where: then it is the host of the web listener, and any port where that has any. */
  readonly listenImplied: boolean;
  readonly publicAddrs: readonly PublicAddress[];
  /** Whether sessions are recorded on their way through the gateway, or bytes pass end to end, where the person's roles do not say. */
  readonly recording: "proxy" | "off";
  /** Ranges from which hosts see this gateway come; empty: the address of each connection to a host. */
  readonly sourceAddresses: readonly string[];
}

/** `auth_service.authentication`. */
export interface AuthenticationConfig {
  readonly type: "local" | "github" | "oidc" | "saml";
  readonly secondFactor: SecondFactor;
  /** Relying party of WebAuthn; absent: the host of the public address. */
  readonly rpId: string | undefined;
  /** Kept for later: not in force yet. */
  readonly requireSessionMfa: boolean;
  /** The connector that people get who name none; absent: the only one there is. */
  readonly connectorName: string | undefined;
  /** Whether local accounts may log in too, whatever the type. */
  readonly localAuth: boolean;
}

/** An entry of `audit.witnesses`; what its members mean is `WitnessOptions` of the audit room. */
export type WitnessConfig =
  | { readonly type: "file"; readonly path: string }
  | { readonly type: "syslog"; readonly address: string }
  | { readonly type: "gateway"; readonly url: string; readonly caFile: string; readonly name: string; readonly tokenFile: string }
  | {
      readonly type: "s3";
      readonly endpoint: string;
      readonly region: string;
      readonly bucket: string;
      readonly prefix: string;
      readonly accessKeyId: string;
      readonly secretKeyFile: string;
      readonly lockMs: number;
      readonly lockMode: "COMPLIANCE" | "GOVERNANCE";
      readonly caFile: string | undefined;
    };

/** A gateway's configuration, defaults filled in. Times in ms. */
export interface GatewayConfig {
  readonly nodeName: string;
  readonly clusterName: string;
  readonly dataDir: string;
  readonly web: {
    readonly listen: ListenAddress;
    readonly publicAddrs: readonly PublicAddress[];
    /** Both or none; none: the cluster's own authority issues the certificate. PEM files. */
    readonly httpsKeyFile: string | undefined;
    readonly httpsCertFile: string | undefined;
  };
  readonly ssh: SshConfig;
  readonly admin: { readonly listen: ListenAddress; readonly publicAddrs: readonly PublicAddress[] };
  /** `/healthz`, `/readyz`, `/metrics`; absent: off. */
  readonly diag: { readonly listen: ListenAddress } | undefined;
  readonly kubernetes: KubernetesConfig;
  readonly authentication: AuthenticationConfig;
  /** `sha256:<hex>`. */
  readonly caPins: readonly string[];
  readonly log: { readonly output: "stderr" | "stdout" | { readonly file: string }; readonly severity: "debug" | "info" | "warn" | "error" };
  readonly audit: {
    readonly sync: "group" | "strict";
    /** What becomes of a session that cannot be recorded, where the person's roles do not say: it does not run, or the gap is audited. `off`: nothing is recorded. */
    readonly recording: "strict" | "best_effort" | "off";
    /** Who else gets the checkpoints of the log. */
    readonly witnesses: readonly WitnessConfig[];
    /** Gateways whose checkpoints this one keeps. */
    readonly witnessFor: readonly { readonly name: string; readonly tokenFile: string }[];
    /** Days older than this are pruned; 0: never. */
    readonly retention: number;
  };
  /** Streams without traffic are ended after this; 0: never. */
  readonly clientIdleTimeout: number;
  /** Whether live streams end with the certificate that opened them. */
  readonly disconnectExpiredCert: boolean;
  /** A gateway whose last look at the change feed is older than this refuses everything. */
  readonly maxStaleness: number;
  /** Open connections per listener; absent: the listeners' own bound. */
  readonly maxConnections: number | undefined;
  /** What of the file has no effect here, one line each, with its place. */
  readonly warnings: readonly string[];
}

/** What the configuration's defaults depend on. */
export interface HostFacts {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Absent where the system has none. */
  readonly uid: number | undefined;
  readonly hostname: string;
  readonly homeDirectory: string;
}

/** Flags that win over the file. Addresses as text: `host`, `host:port`, `:port`. */
export interface ConfigOverrides {
  readonly webListenAddr?: string | undefined;
  readonly sshListenAddr?: string | undefined;
  readonly sshPublicAddr?: string | undefined;
  readonly kubeListenAddr?: string | undefined;
  readonly adminListenAddr?: string | undefined;
  readonly diagListenAddr?: string | undefined;
  readonly publicAddr?: string | undefined;
  readonly kubePublicAddr?: string | undefined;
  readonly dataDir?: string | undefined;
  readonly clusterName?: string | undefined;
  /** Turns the Kubernetes proxy on, with this kubeconfig instead of the file's `kubeconfig_file`. */
  readonly kubeconfigFile?: string | undefined;
  readonly logSeverity?: string | undefined;
}
