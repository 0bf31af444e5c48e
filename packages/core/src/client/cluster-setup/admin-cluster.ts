import { readFile } from "node:fs/promises";
import { request as httpsRequest, type RequestOptions } from "node:https";
import type { IncomingMessage } from "node:http";
import { dirname, isAbsolute, join } from "node:path";
import type { Cluster, User } from "@kubernetes/client-node";
import { parse } from "yaml";
import { z } from "zod";
import { GatehouseError, didYouMean, errorMessage, escapeLine, limits, readAll, systemErrorCode } from "../../base/index.ts";
import { kubeconfigPaths } from "../kubeconfig/index.ts";
import { readFileLimited, type Environment } from "../lean/index.ts";

const kubeconfigSize = 16 * 1024 * 1024;
const timeout = 30_000;

/** An answer of an API server. */
export interface KubeAnswer {
  readonly status: number;
  readonly body: unknown;
}

/** A cluster as an administrator's kubeconfig reaches it. */
export interface AdminCluster {
  /** Name of the context. */
  readonly context: string;
  readonly url: string;
  /** How others verify the server. */
  readonly trust: { readonly ca: string | undefined; readonly serverName: string | undefined; readonly insecure: boolean };
  /**
   * One request, body and answer in JSON; with `token` as whoever that is, else with the administrator's own credentials. Throws `unavailable`
   * where the server cannot be reached, `unauthenticated` where the administrator's credentials cannot be had.
   */
  request(method: string, path: string, options?: { readonly body?: unknown; readonly contentType?: string; readonly token?: string; readonly trust?: { readonly ca: string | undefined } }): Promise<KubeAnswer>;
}

interface Loaded {
  readonly contexts: readonly { readonly name: string; readonly cluster: string; readonly user: string }[];
  readonly clusters: readonly Cluster[];
  readonly users: readonly User[];
  readonly current: string | undefined;
}

async function loadFile(file: string, text: string): Promise<Loaded> {
  const library = await import("@kubernetes/client-node");
  const config = new library.KubeConfig();
  try {
    config.loadFromString(text, { onInvalidEntry: "filter" });
    config.makePathsAbsolute(dirname(file));
  } catch (error) {
    throw new GatehouseError("bad_parameter", `${file} is no kubeconfig: ${errorMessage(error)}`, { cause: error });
  }
  const tokenFiles = tokenFilesOf(text);
  const users = config.getUsers().map((user) => {
    const tokenFile = tokenFiles.get(user.name);
    return tokenFile === undefined ? user : { ...user, tokenFile: isAbsolute(tokenFile) ? tokenFile : join(dirname(file), tokenFile) };
  });
  const current: unknown = config.getCurrentContext();
  return { contexts: config.getContexts(), clusters: config.getClusters(), users, current: typeof current === "string" && current !== "" ? current : undefined };
}

const usersSchema = z.object({ users: z.array(z.object({ name: z.string(), user: z.object({ tokenFile: z.string().min(1).optional() }).nullish() })) });

/** kubectl's `tokenFile`, which the library does not know. */
function tokenFilesOf(text: string): ReadonlyMap<string, string> {
  const parsed = usersSchema.safeParse(parse(text, { maxAliasCount: 100 }));
  const users = parsed.success ? parsed.data.users : [];
  return new Map(users.flatMap(({ name, user }) => (user?.tokenFile === undefined ? [] : [[name, user.tokenFile] as const])));
}

/** The files that kubectl would read, merged as it does: the first that says something counts. */
async function loadAll(env: Environment, file: string | undefined): Promise<Loaded & { readonly paths: readonly string[] }> {
  const paths = file === undefined ? kubeconfigPaths(env) : [file];
  const loaded: Loaded[] = [];
  for (const path of paths) {
    const text = await readFileLimited(path, { limit: kubeconfigSize });
    if (text !== undefined && text.trim() !== "") loaded.push(await loadFile(path, text));
    else if (text === undefined && file !== undefined) throw new GatehouseError("not_found", `${file} does not exist`);
  }
  if (loaded.length === 0) throw new GatehouseError("not_found", `there is no kubeconfig (${paths.join(", ")})`, { hint: "name the one that administers the cluster: --kubeconfig=<file>" });
  return {
    paths,
    contexts: loaded.flatMap(({ contexts }) => contexts),
    clusters: loaded.flatMap(({ clusters }) => clusters),
    users: loaded.flatMap(({ users }) => users),
    current: loaded.map(({ current }) => current).find((current) => current !== undefined),
  };
}

/** Opens a context of the administrator's kubeconfig. Throws `not_found` for a file or context that is not there, `bad_parameter` for one that cannot be used. */
export async function openAdminCluster(env: Environment, choice: { readonly kubeconfig: string | undefined; readonly context: string | undefined }): Promise<AdminCluster> {
  const all = await loadAll(env, choice.kubeconfig);
  const name = choice.context ?? all.current;
  const names = all.contexts.map((context) => context.name);
  const has = names.length === 0 ? "it has none" : `it has: ${names.slice(0, 20).map(escapeLine).join(", ")}`;
  if (name === undefined) throw new GatehouseError("bad_parameter", `${all.paths.join(", ")} selects no context`, { hint: `name one with --context; ${has}` });
  const context = all.contexts.find((one) => one.name === name);
  if (!context) throw new GatehouseError("not_found", `there is no context "${escapeLine(name)}" in ${all.paths.join(", ")}${didYouMean(name, names)}`, { hint: has });
  const cluster = all.clusters.find((one) => one.name === context.cluster);
  const user = all.users.find((one) => one.name === context.user);
  if (!cluster) throw new GatehouseError("bad_parameter", `context "${escapeLine(name)}" names the cluster "${escapeLine(context.cluster)}", which is not there or has no server`);
  if (!user) throw new GatehouseError("bad_parameter", `context "${escapeLine(name)}" names ${context.user ? `the user "${escapeLine(context.user)}", which is not there` : "no user"}`);
  const url = URL.canParse(cluster.server) ? new URL(cluster.server) : undefined;
  if (url?.protocol !== "https:") throw new GatehouseError("bad_parameter", `context "${escapeLine(name)}" has the server ${escapeLine(JSON.stringify(cluster.server))}, which is not https://host:port`);
  return connect(name, url, cluster, user);
}

async function connect(context: string, url: URL, cluster: Cluster, user: User): Promise<AdminCluster> {
  const library = await import("@kubernetes/client-node");
  const tokenFile: unknown = Reflect.get(user, "tokenFile");
  const read = async (file: string): Promise<string> =>
    readFile(file, "utf8").catch((error: unknown) => {
      throw new GatehouseError("bad_parameter", `context "${escapeLine(context)}": ${errorMessage(error)}`, { cause: error });
    });
  const ca = cluster.caData ? Buffer.from(cluster.caData, "base64").toString("utf8") : cluster.caFile ? await read(cluster.caFile) : undefined;
  const known = typeof tokenFile === "string" ? { ...user, token: (await read(tokenFile)).trim() } : user;
  const config = new library.KubeConfig();
  config.loadFromClusterAndUser(cluster, known);
  const trust = { ca, serverName: cluster.tlsServerName || undefined, insecure: cluster.skipTLSVerify };
  let own: RequestOptions | undefined;
  /** The administrator's credentials; a plugin is asked once. */
  const credentials = async (): Promise<RequestOptions> => {
    if (own) return own;
    const options: RequestOptions = { headers: {} };
    await config.applyToHTTPSOptions(options).catch((error: unknown) => {
      throw new GatehouseError("unauthenticated", `the credentials of context "${escapeLine(context)}" cannot be had: ${errorMessage(error).trim()}`, { hint: "see that this works: kubectl auth whoami", cause: error });
    });
    own = options;
    return options;
  };
  const root = url.pathname.replace(/\/+$/, "");
  return {
    context,
    url: `${url.origin}${root}`,
    trust,
    async request(method, path, { body, contentType = "application/json", token, trust: other } = {}) {
      const text = body === undefined ? undefined : JSON.stringify(body);
      const verified: RequestOptions = { rejectUnauthorized: !trust.insecure, ...(trust.serverName === undefined ? {} : { servername: trust.serverName }) };
      const authority = other ? other.ca : ca;
      const base: RequestOptions = token === undefined ? await credentials() : { ...verified, ...(authority === undefined ? {} : { ca: authority }), agent: false, headers: { authorization: `Bearer ${token}` } };
      const headers = { ...(base.headers as Record<string, string>), accept: "application/json", ...(text === undefined ? {} : { "content-type": contentType, "content-length": String(Buffer.byteLength(text)) }) };
      try {
        const response = await new Promise<IncomingMessage>((resolve, reject) => {
          const sent = httpsRequest({ ...base, method, host: url.hostname.replace(/^\[|\]$/g, ""), port: url.port === "" ? 443 : Number(url.port), path: `${root}${path}`, headers, signal: AbortSignal.timeout(timeout) }, resolve);
          sent.once("error", reject);
          sent.end(text);
        });
        const answer = (await readAll(response, limits.apiBody, "the API server's answer")).toString("utf8");
        return { status: response.statusCode ?? 0, body: parseJson(answer) };
      } catch (error) {
        if (error instanceof GatehouseError) throw error;
        const code = systemErrorCode(error);
        const what = error instanceof Error && (error.name === "TimeoutError" || error.name === "AbortError") ? "no answer within 30 s" : (code ?? errorMessage(error));
        throw new GatehouseError("unavailable", `the API server ${url.origin} of context "${escapeLine(context)}" cannot be reached: ${what}`, { hint: "see that this works: kubectl version; or choose another --context", cause: error });
      }
    },
  };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
