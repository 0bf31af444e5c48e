import { readFile } from "node:fs/promises";
import type { RequestOptions } from "node:https";
import { dirname, isAbsolute, join } from "node:path";
import type { Cluster, KubeConfig, User } from "@kubernetes/client-node";
import { parse } from "yaml";
import { z } from "zod";
import { GatehouseError, errorMessage, fileProblem } from "../../base/index.ts";
import type { Logger } from "../../base/index.ts";
import { fixedToken, readTokenFile, rotatingToken } from "./token.ts";
import type { KubeUpstream, TokenSource } from "./types.ts";

/** One cluster as the configuration names it. */
export interface UpstreamConfig {
  readonly name: string;
  /** Without one the pod's service account is used. */
  readonly kubeconfigFile?: string | undefined;
  /** The kubeconfig's current context without one. */
  readonly context?: string | undefined;
  readonly labels?: Readonly<Record<string, string>> | undefined;
}

export interface LoadOptions {
  readonly logger: Logger;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Where a pod's service account is mounted. */
  readonly serviceAccountDirectory?: string | undefined;
}

const defaultServiceAccount = "/var/run/secrets/kubernetes.io/serviceaccount";
const kubeconfigSize = 4 * 1024 * 1024;

/**
 * Reads the credentials of the configured clusters. Throws `bad_parameter` or `unavailable` naming the cluster, the file and what is
 * wrong with it.
 */
export async function loadUpstreams(clusters: readonly UpstreamConfig[], options: LoadOptions): Promise<KubeUpstream[]> {
  const loaded: KubeUpstream[] = [];
  try {
    for (const cluster of clusters) {
      loaded.push(cluster.kubeconfigFile === undefined ? await fromServiceAccount(cluster, options) : await fromKubeconfig(cluster, cluster.kubeconfigFile, options));
    }
    return loaded;
  } catch (error) {
    for (const upstream of loaded) upstream.token?.close();
    throw error;
  }
}

/** The API server as a pod sees it (reference §5.8). */
async function fromServiceAccount(cluster: UpstreamConfig, { env, logger, serviceAccountDirectory = defaultServiceAccount }: LoadOptions): Promise<KubeUpstream> {
  const ca = await readFile(join(serviceAccountDirectory, "ca.crt"), "utf8").catch((error: unknown) => {
    throw new GatehouseError("unavailable", `Kubernetes cluster "${cluster.name}" names no kubeconfig, and there is no service account of a pod: ${join(serviceAccountDirectory, "ca.crt")} ${fileProblem(error)}`, {
      hint: "set proxy_service.kubernetes.kubeconfig_file, or run the gateway in a pod with a service account",
      cause: error,
    });
  });
  const host = env["KUBERNETES_SERVICE_HOST"];
  const port = env["KUBERNETES_SERVICE_PORT_HTTPS"] ?? env["KUBERNETES_SERVICE_PORT"] ?? "443";
  const name = host === undefined || host === "" ? "kubernetes.default.svc.cluster.local" : host.includes(":") ? `[${host}]` : host;
  return {
    name: cluster.name,
    labels: cluster.labels ?? {},
    url: `https://${name}:${port}`,
    ca,
    insecureSkipTlsVerify: false,
    serverName: undefined,
    certificate: undefined,
    token: await rotatingToken(cluster.name, () => readTokenFile(join(serviceAccountDirectory, "token")), logger),
  };
}

async function fromKubeconfig(cluster: UpstreamConfig, file: string, { logger }: LoadOptions): Promise<KubeUpstream> {
  const bad = (problem: string, cause?: unknown): GatehouseError =>
    new GatehouseError("bad_parameter", `the kubeconfig ${file} of Kubernetes cluster "${cluster.name}" cannot be used: ${problem}`, { cause });
  const text = await readFile(file, "utf8").catch((error: unknown) => {
    throw new GatehouseError("bad_parameter", `the kubeconfig ${file} of Kubernetes cluster "${cluster.name}" ${fileProblem(error)}`, {
      hint: "correct proxy_service.kubernetes.kubeconfig_file (or --kubeconfig-file); docs/gateway.md says how to make one",
      cause: error,
    });
  });
  if (text.length > kubeconfigSize) throw bad("it is larger than 4 MiB");
  // Slow to import and needed by servers alone, once.
  const library = await import("@kubernetes/client-node");
  const config = new library.KubeConfig();
  try {
    config.loadFromString(text);
    config.makePathsAbsolute(dirname(file));
  } catch (error) {
    throw bad(errorMessage(error), error);
  }
  // The library's type says that there always is a current context.
  const current: unknown = config.getCurrentContext();
  const wanted = cluster.context ?? (typeof current === "string" ? current : "");
  if (wanted === "") throw bad("it has no current-context, and the configuration names no context");
  const context = config.getContextObject(wanted);
  if (context === null) {
    const known = config.getContexts().map((one) => one.name).join(", ");
    throw bad(`it has no context "${wanted}" (it has: ${known === "" ? "none" : known})`);
  }
  config.setCurrentContext(wanted);
  const server = config.getCurrentCluster();
  if (server === null) throw bad(`context "${context.name}" names the cluster "${context.cluster}", which it does not have`);
  const user = config.getCurrentUser();
  if (user === null) throw bad(`context "${context.name}" names ${context.user ? `the user "${context.user}", which it does not have` : "no user"}`);
  if (server.proxyUrl) throw bad("it has a proxy-url, which the gateway does not support");
  if (user.impersonateUser) throw bad(`its user "${user.name}" impersonates another; the gateway's own credentials must be its own`);

  const ca = await material(server.caFile, server.caData, bad);
  if (ca === undefined && !server.skipTLSVerify) throw bad("its cluster has no certificate authority (certificate-authority-data), and does not say insecure-skip-tls-verify");
  return {
    name: cluster.name,
    labels: cluster.labels ?? {},
    url: withScheme(server),
    ca,
    insecureSkipTlsVerify: server.skipTLSVerify,
    serverName: server.tlsServerName || undefined,
    ...(await credentials(cluster.name, config, user, tokenFileOf(text, user.name, file), logger, bad)),
  };
}

function withScheme(server: Cluster): string {
  return server.server.includes("://") ? server.server : `https://${server.server}`;
}

async function credentials(
  name: string,
  config: KubeConfig,
  user: User,
  tokenFile: string | undefined,
  logger: Logger,
  bad: (problem: string, cause?: unknown) => GatehouseError,
): Promise<{ readonly certificate: KubeUpstream["certificate"]; readonly token: TokenSource | undefined }> {
  const cert = await material(user.certFile, user.certData, bad);
  const key = await material(user.keyFile, user.keyData, bad);
  if ((cert === undefined) !== (key === undefined)) throw bad(`its user "${user.name}" has a client certificate without its key, or a key without its certificate`);
  const certificate = cert === undefined || key === undefined ? undefined : { cert, key };
  if (tokenFile !== undefined) return { certificate, token: await rotatingToken(name, () => readTokenFile(tokenFile), logger) };
  if (user.token) return { certificate, token: fixedToken(user.token.trim()) };
  if (isPresent(user.exec) || isPresent(user.authProvider)) return fromPlugin(name, config, logger, bad);
  if (certificate === undefined) throw bad(`its user "${user.name}" has no client certificate, no token and no plugin that gives one`);
  return { certificate, token: undefined };
}

/** Credentials that a plugin of the kubeconfig gives; tokens are asked for again as they run out. */
async function fromPlugin(name: string, config: KubeConfig, logger: Logger, bad: (problem: string, cause?: unknown) => GatehouseError): ReturnType<typeof credentials> {
  const ask = async (): Promise<RequestOptions> => {
    const options: RequestOptions = { headers: {} };
    await config.applyToHTTPSOptions(options);
    return options;
  };
  const first = await ask().catch((error: unknown) => {
    throw bad(`its credential plugin failed: ${errorMessage(error)}`, error);
  });
  const { cert, key } = first;
  if (typeof cert === "string" && typeof key === "string") return { certificate: { cert, key }, token: undefined };
  if (bearerOf(first) === undefined) throw bad("its credential plugin gave neither a token nor a certificate");
  const read = async (): Promise<string> => bearerOf(await ask()) ?? "";
  return { certificate: undefined, token: await rotatingToken(name, read, logger) };
}

function bearerOf(options: RequestOptions): string | undefined {
  const { headers } = options;
  const value: unknown = headers === undefined ? undefined : Object.entries(headers).find(([name]) => name === "Authorization")?.[1];
  return typeof value === "string" && value.startsWith("Bearer ") ? value.slice("Bearer ".length) : undefined;
}

const isPresent = (value: unknown): boolean => value !== undefined && value !== null;

/** PEM from a file or from base64 in the kubeconfig; the inline one wins, as in kubectl. */
async function material(file: string | undefined, data: string | undefined, bad: (problem: string, cause?: unknown) => GatehouseError): Promise<string | undefined> {
  if (data) return Buffer.from(data, "base64").toString("utf8");
  if (!file) return undefined;
  return readFile(file, "utf8").catch((error: unknown) => {
    throw bad(`${file} ${fileProblem(error)}`, error);
  });
}

const usersOf = z.object({ users: z.array(z.object({ name: z.string(), user: z.object({ tokenFile: z.string().min(1).optional() }).nullish() })) });

/** kubectl's `tokenFile`, which the library does not know. */
function tokenFileOf(text: string, user: string, kubeconfig: string): string | undefined {
  const parsed = usersOf.safeParse(parse(text));
  const file = parsed.success ? parsed.data.users.find((one) => one.name === user)?.user?.tokenFile : undefined;
  return file === undefined || isAbsolute(file) ? file : join(dirname(kubeconfig), file);
}
