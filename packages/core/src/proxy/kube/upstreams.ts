import { readFile } from "node:fs/promises";
import type { RequestOptions } from "node:https";
import { join } from "node:path";
import type { Cluster } from "@kubernetes/client-node";
import { GatehouseError, errorMessage, fileProblem } from "../../base/index.ts";
import type { Logger } from "../../base/index.ts";
import { signatureOf, type ContextEntry } from "./kubeconfig-file.ts";
import { fixedToken, readTokenFile, rotatingToken } from "./token.ts";
import type { KubeUpstream, TokenSource } from "./types.ts";
import { checkUpstream } from "./upstream.ts";

/** The cluster whose credentials are read. */
export interface UpstreamName {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
}

/** What reading credentials depends on. */
export interface ReadOptions {
  readonly logger: Logger;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Where a pod's service account is mounted. */
  readonly serviceAccountDirectory?: string | undefined;
}

/** Credentials as they are now, and what tells that they changed. */
export interface ReadUpstream {
  readonly upstream: KubeUpstream;
  /** Files besides the kubeconfig that they came from. */
  readonly files: readonly string[];
  /** `signatureOf` these files from before they were read: what is written meanwhile is seen as a change. */
  readonly signature: string;
  /** They were given for a while and must be asked for again (a plugin's certificate). */
  readonly renew: boolean;
}

const defaultServiceAccount = "/var/run/secrets/kubernetes.io/serviceaccount";

/** The API server as a pod sees it (reference §5.8). Throws `bad_parameter` where this is no pod with a service account. */
export async function readServiceAccount(cluster: UpstreamName, { env, logger, serviceAccountDirectory = defaultServiceAccount }: ReadOptions): Promise<ReadUpstream> {
  const caFile = join(serviceAccountDirectory, "ca.crt");
  const files = [caFile];
  const signature = await signatureOf(files);
  const ca = await readFile(caFile, "utf8").catch((error: unknown) => {
    throw new GatehouseError("bad_parameter", `Kubernetes cluster "${cluster.name}" names no kubeconfig, and there is no service account of a pod: ${caFile} ${fileProblem(error)}`, {
      hint: "set proxy_service.kubernetes.kubeconfig_file, or run the gateway in a pod with a service account",
      cause: error,
    });
  });
  const host = env["KUBERNETES_SERVICE_HOST"];
  const port = env["KUBERNETES_SERVICE_PORT_HTTPS"] ?? env["KUBERNETES_SERVICE_PORT"] ?? "443";
  const name = host === undefined || host === "" ? "kubernetes.default.svc.cluster.local" : host.includes(":") ? `[${host}]` : host;
  return {
    upstream: {
      name: cluster.name,
      labels: cluster.labels,
      url: `https://${name}:${port}`,
      ca,
      insecureSkipTlsVerify: false,
      serverName: undefined,
      certificate: undefined,
      token: await rotatingToken(cluster.name, () => readTokenFile(join(serviceAccountDirectory, "token")), logger),
    },
    files,
    signature,
    renew: false,
  };
}

type Bad = (problem: string, cause?: unknown) => GatehouseError;

/** Credentials of one context. Throws `bad_parameter` for what the kubeconfig gets wrong, `unavailable` for a plugin that fails. */
export async function readContext(cluster: UpstreamName, { cluster: server, config, tokenFile, user }: ContextEntry, { logger }: ReadOptions): Promise<ReadUpstream> {
  const bad: Bad = (problem, cause) => new GatehouseError("bad_parameter", problem, { cause });
  if (server.proxyUrl) throw bad("it has a proxy-url, which the gateway does not support");
  if (user.impersonateUser) throw bad(`its user "${user.name}" impersonates another; the gateway's own credentials must be its own`);
  const files = [server.caData ? undefined : server.caFile, user.certData ? undefined : user.certFile, user.keyData ? undefined : user.keyFile].filter((file): file is string => Boolean(file));
  const signature = await signatureOf(files);
  const ca = await material(server.caFile, server.caData, bad);
  if (ca === undefined && !server.skipTLSVerify) throw bad("its cluster has no certificate authority (certificate-authority-data), and does not say insecure-skip-tls-verify");
  const given = await ownCredentials(user, tokenFile, cluster.name, logger, bad);
  const { certificate, renew, token } = given ?? (await fromPlugin(cluster.name, config(), logger, bad));
  const upstream: KubeUpstream = {
    name: cluster.name,
    labels: cluster.labels,
    url: withScheme(server),
    ca,
    insecureSkipTlsVerify: server.skipTLSVerify,
    serverName: server.tlsServerName || undefined,
    certificate,
    token,
  };
  try {
    checkUpstream(upstream);
  } catch (error) {
    token?.close();
    throw bad(errorMessage(error), error);
  }
  return { upstream, files, signature, renew };
}

function withScheme(server: Cluster): string {
  return server.server.includes("://") ? server.server : `https://${server.server}`;
}

interface Credentials {
  readonly certificate: KubeUpstream["certificate"];
  readonly token: TokenSource | undefined;
  readonly renew: boolean;
}

/** What the kubeconfig itself holds; undefined where a plugin is to be asked. */
async function ownCredentials(user: ContextEntry["user"], tokenFile: string | undefined, cluster: string, logger: Logger, bad: Bad): Promise<Credentials | undefined> {
  const cert = await material(user.certFile, user.certData, bad);
  const key = await material(user.keyFile, user.keyData, bad);
  if ((cert === undefined) !== (key === undefined)) throw bad(`its user "${user.name}" has a client certificate without its key, or a key without its certificate`);
  const certificate = cert === undefined || key === undefined ? undefined : { cert, key };
  if (tokenFile !== undefined) return { certificate, token: await rotatingToken(cluster, () => readTokenFile(tokenFile), logger), renew: false };
  if (user.token) return { certificate, token: fixedToken(user.token.trim()), renew: false };
  if (isPresent(user.exec) || isPresent(user.authProvider)) return undefined;
  if (certificate === undefined) throw bad(`its user "${user.name}" has no client certificate, no token and no plugin that gives one`);
  return { certificate, token: undefined, renew: false };
}

/** Credentials that a plugin of the kubeconfig gives; tokens are asked for again as they run out. */
async function fromPlugin(name: string, config: ReturnType<ContextEntry["config"]>, logger: Logger, bad: Bad): Promise<Credentials> {
  const ask = async (): Promise<RequestOptions> => {
    const options: RequestOptions = { headers: {} };
    await config.applyToHTTPSOptions(options);
    return options;
  };
  const first = await ask().catch((error: unknown) => {
    throw new GatehouseError("unavailable", `its credential plugin failed: ${errorMessage(error)}`, { cause: error });
  });
  const { cert, key } = first;
  if (typeof cert === "string" && typeof key === "string") return { certificate: { cert, key }, token: undefined, renew: true };
  let held = bearerOf(first);
  if (held === undefined) throw bad("its credential plugin gave neither a token nor a certificate");
  const read = async (): Promise<string> => {
    const token = held ?? bearerOf(await ask());
    held = undefined;
    if (token === undefined) throw new GatehouseError("unavailable", "the credential plugin gave no token this time");
    return token;
  };
  return { certificate: undefined, token: await rotatingToken(name, read, logger), renew: false };
}

function bearerOf(options: RequestOptions): string | undefined {
  const { headers } = options;
  const value: unknown = headers === undefined ? undefined : Object.entries(headers).find(([name]) => name === "Authorization")?.[1];
  return typeof value === "string" && value.startsWith("Bearer ") ? value.slice("Bearer ".length) : undefined;
}

const isPresent = (value: unknown): boolean => value !== undefined && value !== null;

/** PEM from a file or from base64 in the kubeconfig; the inline one wins, as in kubectl. */
async function material(file: string | undefined, data: string | undefined, bad: Bad): Promise<string | undefined> {
  if (data) return Buffer.from(data, "base64").toString("utf8");
  if (!file) return undefined;
  return readFile(file, "utf8").catch((error: unknown) => {
    throw bad(`${file} ${fileProblem(error)}`, error);
  });
}
