import { setTimeout as sleep } from "node:timers/promises";
import { stringify } from "yaml";
import { z } from "zod";
import { GatehouseError, describeDuration, escapeLine } from "../../base/index.ts";
import type { AdminCluster, KubeAnswer } from "./admin-cluster.ts";
import { describeManifest, managedBy, manifestsOf, pathOf, resourceOf, tokenName, type Manifest, type SetupNames } from "./manifests.ts";
import { checkRights, mayImpersonate } from "./rights.ts";

/** What to make, and how long to wait for it. */
export interface SetupOptions extends SetupNames {
  /** For the token, ms. */
  readonly timeout: number;
}

/** Told as things are done. */
export interface SetupProgress {
  /** An object is there now. */
  done(what: string, how: "created" | "updated" | "unchanged"): void;
  /** Something takes a while; the function that is returned ends it. */
  waiting(what: string, limit: number): () => void;
}

/** What the gateway needs. */
export interface GatewayAccess {
  /** Text of the gateway's kubeconfig. */
  readonly kubeconfig: string;
  /** When the token ends, ms since the epoch; undefined: it does not. */
  readonly tokenEnds: number | undefined;
}

const pollInterval = 500;
/** How long RBAC may take to know of a new binding, ms. */
const settleTime = 10_000;
/** Asked for where no token comes by itself, s: ten years. Servers shorten it as they like. */
const tokenLifetime = 315_360_000;

const objectSchema = z.object({ metadata: z.object({ labels: z.record(z.string(), z.string()).optional(), resourceVersion: z.string().optional() }) });
const secretSchema = z.object({ data: z.object({ token: z.string().optional(), "ca.crt": z.string().optional() }).optional() });
const tokenSchema = z.object({ status: z.object({ token: z.string().min(1), expirationTimestamp: z.string() }) });
const statusSchema = z.object({ message: z.string() });

const messageOf = ({ body, status }: KubeAnswer): string => {
  const parsed = statusSchema.safeParse(body);
  return parsed.success ? escapeLine(parsed.data.message) : `it answered ${status}`;
};

/** An answer that is not what was hoped for, as an error that names the object. */
function refused(answer: KubeAnswer, verb: string, manifest: Manifest, context: string): GatehouseError {
  const what = describeManifest(manifest);
  const { group, resource } = resourceOf(manifest);
  if (answer.status === 401) return new GatehouseError("unauthenticated", `the API server does not accept the credentials of context "${escapeLine(context)}"`, { hint: "see that this works: kubectl auth whoami" });
  if (answer.status === 403 && messageOf(answer).includes("being terminated")) {
    return new GatehouseError("unavailable", `${what} cannot be made: ${messageOf(answer)}`, { hint: "wait until the namespace is gone, or choose another --namespace" });
  }
  if (answer.status === 403) {
    return new GatehouseError("access_denied", `${what}: the right to ${verb} ${resource}${group === "" ? "" : `.${group}`} is missing: ${messageOf(answer)}`, { hint: "use the context of a cluster administrator (--context), or have one apply what --dry-run prints" });
  }
  if (answer.status === 409) return new GatehouseError("compare_failed", `${what} was changed by somebody else: ${messageOf(answer)}`, { hint: "put it back or remove it with kubectl, or choose another --name" });
  if (answer.status === 422) return new GatehouseError("already_exists", `${what} is there, and other than it has to be: ${messageOf(answer)}`, { hint: "remove it with kubectl, or choose another --name" });
  return new GatehouseError("unavailable", `${what}: the API server would not ${verb} it: ${messageOf(answer)}`);
}

/** Makes the object as it has to be, unless it is; leaves alone what is somebody else's. */
async function ensure(cluster: AdminCluster, manifest: Manifest): Promise<"created" | "updated" | "unchanged"> {
  const path = pathOf(manifest);
  const before = await cluster.request("GET", path);
  const isNamespace = manifest.kind === "Namespace";
  // Who may work in a namespace need not be one who may read it.
  if (isNamespace && (before.status === 200 || before.status === 403)) return "unchanged";
  if (before.status !== 200 && before.status !== 404) throw refused(before, "get", manifest, cluster.context);
  const present = before.status === 200 ? objectSchema.safeParse(before.body) : undefined;
  if (present && present.data?.metadata.labels?.[managedBy.label] !== managedBy.value) {
    throw new GatehouseError("already_exists", `${describeManifest(manifest)} is there already, and was not made by this command`, { hint: "choose another --name or --namespace, or remove it with kubectl" });
  }
  const query = "?fieldManager=gatehouse&force=false";
  const after = await cluster.request("PATCH", `${path}${query}`, { body: manifest, contentType: "application/apply-patch+yaml" });
  if (after.status !== 200 && after.status !== 201) throw refused(after, present ? "patch" : "create", manifest, cluster.context);
  if (!present) return "created";
  const changed = objectSchema.safeParse(after.body);
  return changed.data?.metadata.resourceVersion === present.data?.metadata.resourceVersion ? "unchanged" : "updated";
}

interface Token {
  readonly token: string;
  readonly ca: string | undefined;
  readonly ends: number | undefined;
}

/** The token that the cluster puts into the secret; undefined where none came in time. */
async function tokenOfSecret(cluster: AdminCluster, secret: Manifest, limit: number): Promise<Token | undefined> {
  for (const end = performance.now() + limit; ; ) {
    const answer = await cluster.request("GET", pathOf(secret));
    if (answer.status !== 200) throw refused(answer, "get", secret, cluster.context);
    const { token, "ca.crt": ca } = secretSchema.safeParse(answer.body).data?.data ?? {};
    if (token) return { token: Buffer.from(token, "base64").toString("utf8"), ca: ca ? Buffer.from(ca, "base64").toString("utf8") : undefined, ends: undefined };
    if (performance.now() + pollInterval > end) return undefined;
    await sleep(pollInterval);
  }
}

/** A token for the asking, which ends; for clusters that put none into secrets. */
async function requestToken(cluster: AdminCluster, account: Manifest): Promise<Token> {
  const answer = await cluster.request("POST", `${pathOf(account)}/token`, { body: { apiVersion: "authentication.k8s.io/v1", kind: "TokenRequest", spec: { expirationSeconds: tokenLifetime } } });
  if (answer.status === 403) throw new GatehouseError("access_denied", `${describeManifest(account)}: the right to create serviceaccounts/token is missing: ${messageOf(answer)}`, { hint: "use the context of a cluster administrator (--context)" });
  if (answer.status !== 201 && answer.status !== 200) throw refused(answer, "make a token for", account, cluster.context);
  const parsed = tokenSchema.safeParse(answer.body);
  if (!parsed.success) throw new GatehouseError("unavailable", `the API server's answer is no token for ${describeManifest(account)}`);
  return { token: parsed.data.status.token, ca: undefined, ends: Date.parse(parsed.data.status.expirationTimestamp) };
}

/** Waits until the new credentials may impersonate: the API server learns of the binding a moment later. */
async function settle(cluster: AdminCluster, token: string, ca: string | undefined): Promise<void> {
  for (const end = performance.now() + settleTime; ; ) {
    const missing = await mayImpersonate(cluster, token, ca);
    if (missing === undefined) return;
    if (performance.now() + pollInterval > end) throw new GatehouseError("unavailable", `the new credentials do not work in the cluster of context "${escapeLine(cluster.context)}": ${missing}`, { hint: "nothing was written; see whether something in the cluster forbids impersonation" });
    await sleep(pollInterval);
  }
}

function kubeconfigText(cluster: AdminCluster, user: string, token: string, ca: string | undefined): string {
  const { context, trust, url } = cluster;
  return stringify(
    {
      apiVersion: "v1",
      kind: "Config",
      "current-context": context,
      clusters: [
        {
          name: context,
          cluster: {
            server: url,
            ...(trust.serverName === undefined ? {} : { "tls-server-name": trust.serverName }),
            ...(trust.insecure ? { "insecure-skip-tls-verify": true } : { "certificate-authority-data": Buffer.from(ca ?? "").toString("base64") }),
          },
        },
      ],
      contexts: [{ name: context, context: { cluster: context, user } }],
      users: [{ name: user, user: { token } }],
    },
    { lineWidth: 0 },
  );
}

/**
 * Makes everything in the cluster that a gateway needs, and a kubeconfig with its credentials, which have been tried. What is there already stays. Throws
 * `access_denied` with every right that is missing, before anything is changed; `already_exists` and `compare_failed` for objects of somebody else.
 */
export async function createGatewayAccess(cluster: AdminCluster, options: SetupOptions, progress: SetupProgress): Promise<GatewayAccess> {
  const manifests = manifestsOf(options);
  await checkRights(cluster, manifests);
  for (const manifest of manifests) progress.done(describeManifest(manifest), await ensure(cluster, manifest));
  const secret = manifests.find(({ kind }) => kind === "Secret");
  const account = manifests.find(({ kind }) => kind === "ServiceAccount");
  if (!secret || !account) throw new GatehouseError("internal", "there is no secret among the manifests");
  const stop = progress.waiting(`waiting for the token in secret ${options.namespace}/${tokenName(options)} …`, options.timeout);
  let token: Token;
  try {
    token = (await tokenOfSecret(cluster, secret, options.timeout)) ?? (await requestToken(cluster, account));
  } finally {
    stop();
  }
  const ca = cluster.trust.ca ?? token.ca;
  if (ca === undefined && !cluster.trust.insecure) {
    throw new GatehouseError("bad_parameter", `context "${escapeLine(cluster.context)}" has no certificate authority, which the gateway needs`, { hint: "add certificate-authority-data to your kubeconfig's cluster" });
  }
  const waited = progress.waiting(`trying the new credentials, for at most ${describeDuration(settleTime)} …`, settleTime);
  try {
    await settle(cluster, token.token, ca);
  } finally {
    waited();
  }
  return { kubeconfig: kubeconfigText(cluster, options.name, token.token, ca), tokenEnds: token.ends };
}
