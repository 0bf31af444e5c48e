import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from "node:crypto";
import { createServer } from "node:https";
import { connect, type AddressInfo, type Socket } from "node:net";
import { sshConnectHeaders, sshConnectPath, sshServerName, sshUpgrade } from "@gatehouse/core/api";
import { systemRandom } from "@gatehouse/core/base";
import { buildCertificate, formatAuthorizedKey, parseAuthorizedKey, parseCertificate, signSshCertificate, sshPublicKey, type CertificateContent } from "@gatehouse/core/formats";

/** One request to be connected to a host. */
export interface AskedConnection {
  readonly target: string;
  readonly port: string | undefined;
  readonly login: string;
  readonly user: string;
}

/** What a request is answered with. */
export type Verdict = { readonly mode: "proxy" | "off"; readonly port: number; readonly principals?: readonly string[] } | { readonly status: number; readonly body: object };

/** The part of a gateway that `tsh proxy ssh` talks to. */
export interface SshGateway {
  /** `host:port`. */
  readonly proxy: string;
  readonly asked: readonly AskedConnection[];
  /** What `~/.tsh/keys/*.json` holds for a login here. */
  record(username: string, expires?: number): object;
  /** `authorized_keys` line of the authority that hosts trust. */
  readonly authorityLine: string;
  readonly hostAuthority: KeyObject;
  close(): Promise<void>;
}

const cluster = "example";
const hour = 3_600_000;
const newKey = (): KeyObject => generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey;

function issue(key: KeyObject, content: Partial<CertificateContent>, signer?: { readonly key: KeyObject; readonly certificate: string }): string {
  return buildCertificate(
    { serial: BigInt(`0x${Buffer.from(systemRandom(8)).toString("hex")}`), subject: { CN: ["gateway"] }, notBefore: Date.now() - hour, notAfter: Date.now() + hour, publicKey: createPublicKey(key), keyUsage: ["digitalSignature"], ...content },
    signer ? { privateKey: signer.key, certificate: parseCertificate(signer.certificate) } : { privateKey: key },
  );
}

/** Starts one on loopback; `decide` is asked what becomes of each connection. */
export async function startSshGateway(decide: (asked: AskedConnection) => Verdict): Promise<SshGateway> {
  const authority = newKey();
  const authorityCertificate = issue(authority, { subject: { CN: ["authority"] }, ca: {}, keyUsage: ["keyCertSign"] });
  const signer = { key: authority, certificate: authorityCertificate };
  const serverKey = newKey();
  const serverCertificate = issue(serverKey, { ipAddresses: ["127.0.0.1"], dnsNames: ["localhost", sshServerName(cluster)], extendedKeyUsage: ["serverAuth"] }, signer);
  const sshAuthority = generateKeyPairSync("ed25519").privateKey;
  const hostAuthority = generateKeyPairSync("ed25519").privateKey;
  const asked: AskedConnection[] = [];
  const sockets = new Set<Socket>();
  const pem = (key: KeyObject): string => key.export({ type: "pkcs8", format: "pem" }).toString();
  const server = createServer({ key: pem(serverKey), cert: serverCertificate, ca: authorityCertificate, requestCert: true, rejectUnauthorized: true });

  const mint = (key: string, principals: readonly string[]): string =>
    signSshCertificate(
      { type: "user", publicKey: parseAuthorizedKey(key).blob, serial: 1n, keyId: "ana", principals: [...principals], validAfter: 0n, validBefore: BigInt(Math.floor(Date.now() / 1000) + 300), criticalOptions: new Map(), extensions: new Map([["permit-pty", ""], ["permit-port-forwarding", ""], ["permit-agent-forwarding", ""]]) },
      sshAuthority,
      systemRandom,
    );

  server.on("upgrade", (request, socket: Socket, head: Buffer) => {
    sockets.add(socket);
    socket.on("error", () => undefined).once("close", () => sockets.delete(socket));
    const url = new URL(request.url ?? "/", "https://gateway");
    const peer = (request.socket as unknown as { getPeerCertificate(): { subject: { CN: string } } }).getPeerCertificate();
    const one: AskedConnection = { target: url.searchParams.get("target") ?? "", port: url.searchParams.get("port") ?? undefined, login: url.searchParams.get("login") ?? "", user: peer.subject.CN };
    if (url.pathname !== sshConnectPath || request.headers.upgrade !== sshUpgrade) return void socket.destroy();
    asked.push(one);
    const verdict = decide(one);
    if ("status" in verdict) {
      const body = JSON.stringify(verdict.body);
      socket.end(`HTTP/1.1 ${verdict.status} No\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`);
      return;
    }
    const upstream = connect({ host: "127.0.0.1", port: verdict.port, allowHalfOpen: true });
    sockets.add(upstream);
    upstream.setNoDelay(true).on("error", () => socket.destroy()).once("close", () => sockets.delete(upstream));
    const certificate = verdict.mode === "off" ? mint(url.searchParams.get("key") ?? "", verdict.principals ?? [one.login]) : undefined;
    const headers: Record<string, string> = { connection: "Upgrade", upgrade: sshUpgrade, [sshConnectHeaders.mode]: verdict.mode, [sshConnectHeaders.node]: "n-1", [sshConnectHeaders.nodeName]: one.target };
    if (certificate !== undefined) headers[sshConnectHeaders.certificate] = Buffer.from(certificate).toString("base64");
    socket.write(`HTTP/1.1 101 Switching Protocols\r\n${Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`).join("")}\r\n`);
    upstream.write(head);
    socket.pipe(upstream);
    upstream.pipe(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const proxy = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    proxy,
    asked,
    authorityLine: formatAuthorizedKey(sshPublicKey(createPublicKey(sshAuthority))),
    hostAuthority,
    record(username, expires = Date.now() + hour) {
      const key = createPrivateKey(pem(newKey()));
      return {
        version: 1,
        proxy,
        cluster,
        username,
        privateKey: pem(key),
        sshCertificate: "none",
        tlsCertificate: issue(key, { subject: { CN: [username], O: ["access"] }, extendedKeyUsage: ["clientAuth"] }, signer),
        hostKeys: [formatAuthorizedKey(sshPublicKey(createPublicKey(hostAuthority)))],
        hostCertificates: [authorityCertificate],
        issued: Date.now(),
        expires,
      };
    },
    close: () =>
      new Promise((resolve) => {
        for (const socket of sockets) socket.destroy();
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
