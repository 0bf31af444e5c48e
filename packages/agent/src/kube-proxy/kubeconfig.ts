import { readFile } from "node:fs/promises";
import { writeFileAtomic } from "@gatehouse/core/client/lean";
import { formatData } from "@gatehouse/core/client/terminal";
import type { LocalPair } from "./credentials.ts";
import type { ServedCluster } from "./types.ts";

const base64 = (text: string): string => Buffer.from(text).toString("base64");
/** The one user: the person, at this proxy. */
const user = "tsh-proxy-kube";

/** What a kubeconfig for this proxy alone says. */
export interface LocalKubeconfig {
  readonly clusters: readonly ServedCluster[];
  readonly selected: string;
  /** PEM. */
  readonly authority: string;
  readonly client: LocalPair;
}

/** Writes it, for its owner alone. */
export async function writeLocalKubeconfig(path: string, { clusters, selected, authority, client }: LocalKubeconfig): Promise<void> {
  const config = {
    apiVersion: "v1",
    kind: "Config",
    clusters: clusters.map(({ context, server }) => ({ name: context, cluster: { server, "certificate-authority-data": base64(authority) } })),
    contexts: clusters.map(({ context, namespace }) => ({ name: context, context: { cluster: context, user, ...(namespace === undefined ? {} : { namespace }) } })),
    "current-context": selected,
    users: [{ name: user, user: { "client-certificate-data": base64(client.certificate), "client-key-data": base64(client.key) } }],
  };
  await writeFileAtomic(path, await formatData(config, "yaml"), 0o600);
}

/** Puts a new key and certificate in the place of those that it has; what the person or a tool has selected in it stays. */
export async function renewLocalKubeconfig(path: string, before: LocalPair, after: LocalPair): Promise<void> {
  const text = await readFile(path, "utf8");
  await writeFileAtomic(path, text.replaceAll(base64(before.certificate), base64(after.certificate)).replaceAll(base64(before.key), base64(after.key)), 0o600);
}
