import type { IncomingMessage } from "node:http";
import { request, type RequestOptions } from "node:https";
import type { Socket } from "node:net";
import { readSshEnding, refusalOf, sshConnectHeaders, sshConnectUrl, sshEndingUrl, sshServerName, sshUpgrade, type SshConnectRequest } from "../../api/lean/index.ts";
import { GatehouseError, limits, readAll, version } from "../../base/index.ts";
import { parseProxyAddress, type LoginRecord } from "../lean/index.ts";
import { unreachable } from "../network-errors.ts";

/** A connection to a host through the gateway, over which SSH is about to be spoken. */
export interface HostConnection {
  /** Paused; bytes that came with the answer are the first that it gives. Half-open: an end on one side leaves the other. */
  readonly socket: Socket;
  /** `proxy`: the gateway is the SSH server. `off`: the host is. */
  readonly mode: "proxy" | "off";
  /** Id and name of the host. */
  readonly node: string;
  readonly nodeName: string;
  /** Id of the connection, as the audit log has it. */
  readonly connection: string | undefined;
  /** Line of the certificate over the key that was sent, in mode `off`. */
  readonly certificate: string | undefined;
}

/** ms from the first byte to the answer: the gateway dials the host before it answers. */
const connectTime = 30_000;
/** After so many ms of silence the network is asked whether the other side is still there. */
const keepAlive = 30_000;

function read(response: IncomingMessage, socket: Socket): HostConnection {
  const header = (name: string): string | undefined => {
    const value = response.headers[name];
    return typeof value === "string" && value !== "" ? value : undefined;
  };
  const mode = header(sshConnectHeaders.mode);
  if ((mode !== "proxy" && mode !== "off") || response.headers.upgrade?.toLowerCase() !== sshUpgrade) {
    throw new GatehouseError("internal", "the gateway's answer cannot be used: it does not say how the host is reached", { hint: "tell the gateway's operator" });
  }
  const certificate = header(sshConnectHeaders.certificate);
  return {
    socket,
    mode,
    node: header(sshConnectHeaders.node) ?? "",
    nodeName: header(sshConnectHeaders.nodeName) ?? "",
    connection: header(sshConnectHeaders.connection),
    certificate: certificate === undefined ? undefined : Buffer.from(certificate, "base64").toString("utf8").trim(),
  };
}

function requestOptions(record: LoginRecord): RequestOptions {
  const { host, port } = parseProxyAddress(record.proxy);
  return { host, port, servername: sshServerName(record.cluster), ca: [...record.hostCertificates], cert: record.tlsCertificate, key: record.privateKey, minVersion: "TLSv1.2", agent: false };
}

/** ms within which the gateway has to say why it ended a connection. */
const endingTime = 2000;

/** Why the gateway ended a connection in mode `off`, in its words (outside text); undefined where it did not, or cannot be asked. Never rejects. */
export function askEnding(record: LoginRecord, { connection }: Pick<HostConnection, "connection">): Promise<string | undefined> {
  if (connection === undefined) return Promise.resolve(undefined);
  return new Promise((resolve) => {
    const nothing = (): void => resolve(undefined);
    const sent = request({ ...requestOptions(record), path: sshEndingUrl(connection), headers: { host: parseProxyAddress(record.proxy).text }, timeout: endingTime });
    sent.once("error", nothing).once("timeout", () => sent.destroy());
    sent.once("response", (response) => {
      readAll(response, limits.apiBody, "the gateway's answer").then((body) => resolve(response.statusCode === 200 ? messageOf(body.toString("utf8")) : undefined), nothing);
    });
    sent.end();
  });
}

function messageOf(body: string): string | undefined {
  try {
    return readSshEnding(JSON.parse(body));
  } catch {
    return undefined;
  }
}

/**
 * Connects to a host through the login's gateway: one connection with mutual TLS to its web port, which an HTTP upgrade turns into the way to the host.
 * Throws the gateway's refusal with its id, `unavailable` where the gateway cannot be reached or does not answer in time.
 */
export async function connectHost(record: LoginRecord, wanted: SshConnectRequest): Promise<HostConnection> {
  const address = parseProxyAddress(record.proxy);
  try {
    return await new Promise<HostConnection>((resolve, reject) => {
      const sent = request({
        ...requestOptions(record),
        path: sshConnectUrl(wanted),
        headers: { host: address.text, connection: "Upgrade", upgrade: sshUpgrade, "user-agent": `gatehouse/${version}` },
        // An option of tls.connect, which Node passes on: either side may end first.
        ...{ allowHalfOpen: true },
      });
      const timer = setTimeout(() => {
        sent.destroy(new GatehouseError("unavailable", `the gateway ${address.text} did not answer within ${connectTime / 1000} s`, { hint: "try again; if it stays so, tell the gateway's operator" }));
      }, connectTime);
      sent.once("error", reject).once("close", () => clearTimeout(timer));
      sent.once("response", (response) => {
        readAll(response, limits.apiBody, "the gateway's answer").then((body) => reject(refusalOf({ status: response.statusCode ?? 0, body: body.toString("utf8") })), reject);
      });
      sent.once("upgrade", (response, socket, head) => {
        clearTimeout(timer);
        socket.pause();
        if (head.length > 0) socket.unshift(head);
        (socket).setNoDelay(true).setKeepAlive(true, keepAlive);
        try {
          resolve(read(response, socket));
        } catch (error) {
          socket.destroy();
          reject(error);
        }
      });
      sent.end();
    });
  } catch (error) {
    throw unreachable(address.text, error);
  }
}
