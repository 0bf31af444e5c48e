import { generateKeyPairSync } from "node:crypto";
import ssh2, { type Client, type KexAlgorithm, type ServerHostKeyAlgorithm } from "ssh2";
import { GatehouseError, errorMessage, escapeText } from "../../base/index.ts";
import { encodeOpenSshPrivateKey, formatAuthorizedKey, parseAuthorizedKey, parseSshCertificate, sshPublicKey, verifySshCertificate } from "../../formats/index.ts";
import type { LoginRecord } from "../lean/index.ts";
import { keyExchanges } from "../../ssh/index.ts";
import { connectHost, hostKeyAlgorithms, type ChosenHost, type HostConnection } from "../ssh/index.ts";

/** An SSH connection to a host, made without OpenSSH. */
export interface OwnConnection {
  readonly client: Client;
  readonly host: HostConnection;
  /** Rejects when the connection ends before {@link close}; never resolves. */
  readonly lost: Promise<never>;
  close(): void;
}

/** How one is opened. */
export interface OwnConnectOptions {
  /** ms since the epoch. */
  readonly now: number;
  /** Told what the gateway or the host says before the login; escaped. */
  readonly onBanner?: ((text: string) => void) | undefined;
}

const maxBanner = 8 * 1024;
/** As OpenSSH with `ServerAliveInterval 15`, ms. */
const keepAlive = { interval: 15_000, missed: 3 };
/** ms from the first byte of SSH to the login. */
const handshake = 30_000;

/** SSH_DISCONNECT_NO_MORE_AUTH_METHODS_AVAILABLE (RFC 4253 §11.1). */
const noMoreMethods = 14;

/** Whether the other side took nobody in, rather than being out of reach. */
const isRefusal = (error: unknown): boolean => error instanceof Error && (("code" in error && error.code === noMoreMethods) || ("level" in error && error.level === "client-authentication"));

/** Only the certificate's name is looked at where the key exchange has not proven the key yet: ssh2 does that next. */
function hostVerifier(record: LoginRecord, name: string, now: number, refuse: (error: unknown) => void): (blob: Buffer) => boolean {
  const caKeys = record.hostKeys.map((line) => parseAuthorizedKey(line).blob);
  return (blob) => {
    try {
      verifySshCertificate(parseSshCertificate(blob), { caKeys, now, type: "host", principal: name });
      return true;
    } catch (error) {
      refuse(error);
      return false;
    }
  };
}

/**
 * Connects to a host through the gateway and logs in. The host has to prove itself by a certificate of the cluster's authority for its name. Throws the
 * gateway's refusal, or `unavailable` with what ssh2 says.
 */
export async function openOwnConnection(record: LoginRecord, host: ChosenHost, options: OwnConnectOptions): Promise<OwnConnection> {
  const { privateKey, publicKey } = generateKeyPairSync("ed25519");
  const connection = await connectHost(record, { target: host.target, port: host.port, login: host.login, key: formatAuthorizedKey(sshPublicKey(publicKey)) });
  const client = new ssh2.Client();
  let said = 0;
  client.on("banner", (text) => {
    const left = text.slice(0, maxBanner - said);
    said += left.length;
    if (left !== "") options.onBanner?.(escapeText(left.replaceAll("\r\n", "\n")));
  });
  let closed = false;
  let refused: unknown;
  let fail: (error: unknown) => void = () => undefined;
  const lost = new Promise<never>((_, reject) => (fail = reject));
  // Whoever waits for something on the connection sees it.
  lost.catch(() => undefined);
  const broken = (error: unknown): GatehouseError =>
    refused === undefined
      ? isRefusal(error)
        ? new GatehouseError("access_denied", `${host.shown} cannot be logged in to as ${host.login}: ${errorMessage(error)}`, { cause: error })
        : new GatehouseError("unavailable", `the SSH connection to ${host.shown} failed: ${errorMessage(error)}`, { cause: error })
      : new GatehouseError("access_denied", `${host.shown} cannot be trusted: ${errorMessage(refused)}`, { cause: refused });
  client.on("error", (error) => fail(broken(error)));
  client.on("close", () => {
    if (!closed) fail(broken("it was closed"));
  });
  const ready = new Promise<void>((resolve) => client.once("ready", resolve));
  const credential = connection.certificate === undefined ? {} : { privateKey: encodeOpenSshPrivateKey(privateKey), certificate: connection.certificate };
  client.connect({
    sock: connection.socket,
    username: host.login,
    // The types know neither certificates nor more key exchanges, and the names of neither, which are a patch of ours.
    algorithms: { kex: { append: [], prepend: Object.keys(keyExchanges) as KexAlgorithm[], remove: [] }, serverHostKey: hostKeyAlgorithms.split(",") as ServerHostKeyAlgorithm[] },
    hostVerifier: hostVerifier(record, host.name, options.now, (error) => (refused = error)),
    authHandler: connection.certificate === undefined ? ["none"] : ["publickey"],
    keepaliveInterval: keepAlive.interval,
    keepaliveCountMax: keepAlive.missed,
    readyTimeout: handshake,
    ...{ keyExchanges },
    ...credential,
  });
  const close = (): void => {
    closed = true;
    client.end();
    connection.socket.destroy();
  };
  try {
    await Promise.race([ready, lost]);
  } catch (error) {
    close();
    throw error;
  }
  return { client, host: connection, lost, close };
}
