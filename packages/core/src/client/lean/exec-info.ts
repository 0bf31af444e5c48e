import { GatehouseError, escapeLine } from "../../base/index.ts";
import type { LoginRecord } from "./record.ts";

/** What kubectl says in `KUBERNETES_EXEC_INFO` when it runs a credential plugin. */
export interface ExecInfo {
  /** The version to answer in. */
  readonly apiVersion: string;
  /** Standard input is the person's terminal: questions are allowed. */
  readonly interactive: boolean;
}

const supported = ["client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1"];
const maxText = 1024 * 1024;

/** Reads `KUBERNETES_EXEC_INFO`; undefined without one (a person ran the plugin by hand). Throws `bad_parameter`. */
export function parseExecInfo(text: string | undefined): ExecInfo | undefined {
  if (text === undefined || text === "") return undefined;
  let value: unknown;
  try {
    value = text.length > maxText ? undefined : JSON.parse(text);
  } catch (error) {
    throw new GatehouseError("bad_parameter", "KUBERNETES_EXEC_INFO is not JSON", { cause: error });
  }
  const info = (typeof value === "object" && value !== null ? value : {}) as { kind?: unknown; apiVersion?: unknown; spec?: { interactive?: unknown } | null };
  if (info.kind !== "ExecCredential" || typeof info.apiVersion !== "string") {
    throw new GatehouseError("bad_parameter", "KUBERNETES_EXEC_INFO is not an ExecCredential");
  }
  if (!supported.includes(info.apiVersion)) {
    throw new GatehouseError("bad_parameter", `cannot answer a credential request of version ${escapeLine(info.apiVersion)}`, { hint: `set apiVersion in the kubeconfig to ${supported[0] ?? ""}: tsh login does` });
  }
  return { apiVersion: info.apiVersion, interactive: info.spec?.interactive === true };
}

/** The answer that kubectl reads from the plugin's standard output. */
export function formatExecCredential(record: LoginRecord, info: ExecInfo | undefined): string {
  return `${JSON.stringify({
    kind: "ExecCredential",
    apiVersion: info?.apiVersion ?? supported[0],
    spec: { interactive: info?.interactive ?? false },
    status: {
      expirationTimestamp: `${new Date(record.expires).toISOString().slice(0, 19)}Z`,
      clientCertificateData: record.tlsCertificate,
      clientKeyData: record.privateKey,
    },
  })}\n`;
}
