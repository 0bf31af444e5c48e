/**
 * How `tsh proxy ssh` reaches a host: `GET` of this path with mutual TLS on the web port, SNI {@link sshServerName}, asking for the upgrade
 * {@link sshUpgrade}. Refusals are JSON errors as everywhere. After the 101 the connection carries SSH, end to end or up to the gateway.
 */
export const sshConnectPath = "/gatehouse/v1/ssh/connect";

/** The protocol of the upgrade. */
export const sshUpgrade = "gatehouse-ssh";

/** What {@link sshConnectPath} is asked with, as a query. */
export interface SshConnectRequest {
  /** Name, id, address or `label=value` of a host. */
  readonly target: string;
  readonly port?: number | undefined;
  /** The account on the host. */
  readonly login: string;
  /** `authorized_keys` line of a new key: a certificate over it comes back where one is needed. */
  readonly key?: string | undefined;
}

/** Headers of the answer, in lower case. */
export const sshConnectHeaders = {
  /** `proxy`: the gateway is the SSH server, and lets in whoever asks with `none`. `off`: the host is. */
  mode: "gatehouse-mode",
  /** Id of the host. */
  node: "gatehouse-node",
  nodeName: "gatehouse-node-name",
  /** Id of the connection, as the audit log has it. */
  connection: "gatehouse-connection",
  /** base64 of a certificate's line, for this host and login and the key that was sent; in mode `off`. */
  certificate: "gatehouse-certificate",
} as const;

/** Path and query of a request. */
export function sshConnectUrl({ target, port, login, key }: SshConnectRequest): string {
  const query = new URLSearchParams({ target, login, ...(port === undefined ? {} : { port: String(port) }), ...(key === undefined ? {} : { key }) });
  return `${sshConnectPath}?${query.toString()}`;
}

/**
 * Why a connection was ended that passed end to end, where nothing can be said on the way: `GET` with the certificate that opened it, a minute long. 404 where the gateway did not end it.
 */
export const sshEndingPath = "/gatehouse/v1/ssh/ending";

/** Path and query of {@link sshEndingPath}. `connection` is what the header {@link sshConnectHeaders.connection} said. */
export function sshEndingUrl(connection: string): string {
  return `${sshEndingPath}?${new URLSearchParams({ connection }).toString()}`;
}

/** The answer of {@link sshEndingPath}. */
export interface SshEnding {
  readonly message: string;
}

/** The message of a {@link SshEnding} (outside text); undefined for anything else. Without a schema: what ssh waits for loads none. */
export function readSshEnding(value: unknown): string | undefined {
  const message: unknown = typeof value === "object" && value !== null ? Reflect.get(value, "message") : undefined;
  return typeof message === "string" && message.length <= maxMessage ? message : undefined;
}

const maxMessage = 8192;
