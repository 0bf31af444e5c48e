import { existsSync, readFileSync } from "node:fs";
import { readdir, realpath } from "node:fs/promises";
import { delimiter, dirname, join } from "node:path";
import { wholeLines } from "./lines.ts";

/** A real Kubernetes: credentials for its admin and for a gateway that may only impersonate, and the API server's own audit log. */
export interface RealCluster {
  readonly adminKubeconfig: string;
  readonly gatewayKubeconfig: string;
  /** The API server's audit log, one JSON event a line, or undefined where it cannot be read. */
  auditLog(): readonly KubeAuditEvent[] | undefined;
}

/** The part of an API server's audit event that tests look at. */
export interface KubeAuditEvent {
  readonly user: { readonly username: string; readonly groups?: readonly string[] };
  readonly impersonatedUser?: { readonly username: string; readonly groups?: readonly string[] };
  readonly requestURI: string;
  readonly verb: string;
}

const folder = process.env["GATEHOUSE_TEST_CLUSTER_DIR"] ?? "/tmp/real-cluster";

/**
 * The cluster that `.ci/run` brings up (`GATEHOUSE_TEST_CLUSTER_DIR`). Without one, throws in CI; elsewhere undefined,
 * and the caller's tests are skipped with {@link howToGetACluster} as the reason.
 */
export function realCluster(): RealCluster | undefined {
  const gatewayKubeconfig = join(folder, "gateway.kubeconfig");
  if (!existsSync(gatewayKubeconfig)) {
    if (process.env["CI"] === "true") throw new Error(howToGetACluster);
    return undefined;
  }
  return {
    adminKubeconfig: join(folder, "admin.kubeconfig"),
    gatewayKubeconfig,
    auditLog() {
      const path = join(folder, "log/audit.jsonl");
      if (!existsSync(path)) return undefined;
      return wholeLines(readFileSync(path, "utf8")).map((line) => JSON.parse(line) as KubeAuditEvent);
    },
  };
}

/** Said where tests are skipped for want of a cluster. */
export const howToGetACluster =
  "no real Kubernetes: set GATEHOUSE_TEST_CLUSTER_DIR to a folder with admin.kubeconfig and gateway.kubeconfig (the latter may only impersonate)";

/** Absolute paths of every kubectl on this machine: the one on PATH, and versions beside it named `kubectl.1.27`. */
export async function kubectlBinaries(): Promise<readonly string[]> {
  for (const path of (process.env["PATH"] ?? "").split(delimiter)) {
    const kubectl = await realpath(join(path, "kubectl")).catch(() => undefined);
    if (kubectl === undefined) continue;
    const folder = dirname(kubectl);
    const versions = (await readdir(folder)).filter((name) => /^kubectl\.\d+\.\d+$/.test(name));
    return [kubectl, ...versions.sort().map((name) => join(folder, name))];
  }
  throw new Error("no kubectl on PATH; Debian: kubernetes-client");
}
