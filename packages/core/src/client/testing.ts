import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from "node:crypto";
import { createServer, type Server, type ServerOptions } from "node:https";
import type { RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import type { SshLoginResponse } from "../api/index.ts";
import { systemRandom } from "../base/index.ts";
import { buildCertificate, formatAuthorizedKey, parseCertificate, signSshCertificate, sshPublicKey, type CertificateContent } from "../formats/index.ts";
import { parseProxyAddress, type ProxyAddress } from "./lean/index.ts";

/** A key and a certificate over it, PEM. For this room's tests. */
export interface Pair {
  readonly key: KeyObject;
  readonly pem: string;
  readonly certificate: string;
}

const hour = 3_600_000;
const newKey = (): KeyObject => generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey;
const keyPem = (key: KeyObject): string => key.export({ type: "pkcs8", format: "pem" }).toString();

function issue(key: KeyObject, content: Partial<CertificateContent>, signer: Pair | undefined): Pair {
  const certificate = buildCertificate(
    {
      serial: BigInt(`0x${Buffer.from(systemRandom(8)).toString("hex")}`),
      subject: { CN: ["test"] },
      notBefore: Date.now() - hour,
      notAfter: Date.now() + hour,
      publicKey: createPublicKey(key),
      keyUsage: ["digitalSignature"],
      ...content,
    },
    signer ? { privateKey: signer.key, certificate: parseCertificate(signer.certificate) } : { privateKey: key },
  );
  return { key, pem: keyPem(key), certificate };
}

/** A CA that nobody knows. */
export function newAuthority(name = "authority"): Pair {
  return issue(newKey(), { subject: { CN: [name] }, ca: {}, keyUsage: ["keyCertSign"] }, undefined);
}

/** A server's certificate for 127.0.0.1 (or other names) by this authority. */
export function serverPair(by: Pair, content: Partial<CertificateContent> = {}): Pair {
  return issue(newKey(), { ipAddresses: ["127.0.0.1"], dnsNames: ["localhost"], extendedKeyUsage: ["serverAuth"], ...content }, by);
}

/** A person's X.509 certificate over this key. */
export function userPair(by: Pair, key: KeyObject, content: Partial<CertificateContent> = {}): Pair {
  return issue(key, { subject: { CN: ["ana"], O: ["access"] }, extendedKeyUsage: ["clientAuth"], ...content }, by);
}

/** A login's answer as the gateway gives it; every part can be replaced. */
export function loginAnswer(options: {
  readonly key: KeyObject;
  readonly sshKey?: KeyObject;
  readonly keyId?: string;
  readonly username?: string;
  readonly content?: Partial<CertificateContent>;
  readonly hostCertificates?: readonly string[];
}): SshLoginResponse {
  const authority = newAuthority("user");
  const username = options.username ?? "ana";
  const ssh = signSshCertificate(
    {
      type: "user",
      publicKey: sshPublicKey(createPublicKey(options.sshKey ?? options.key)),
      serial: 1n,
      keyId: options.keyId ?? username,
      principals: ["ana"],
      validAfter: 0n,
      validBefore: BigInt(Math.floor(Date.now() / 1000) + 3600),
      criticalOptions: new Map(),
      extensions: new Map(),
    },
    authority.key,
    systemRandom,
  );
  const base64 = (text: string): string => Buffer.from(text).toString("base64");
  return {
    username,
    cert: base64(ssh),
    tls_cert: base64(userPair(authority, options.key, { subject: { CN: [username] }, ...options.content }).certificate),
    host_signers: [
      {
        domain_name: "example",
        checking_keys: [base64(formatAuthorizedKey(sshPublicKey(createPublicKey(authority.key))))],
        tls_certs: (options.hostCertificates ?? [newAuthority("host").certificate]).map(base64),
      },
    ],
  };
}

/** A new P-256 key and its PEM. */
export function newUserKey(): { readonly privateKey: KeyObject; readonly pem: string } {
  const key = newKey();
  return { privateKey: createPrivateKey(keyPem(key)), pem: keyPem(key) };
}

/** A TLS server on loopback that counts the requests it got. */
export interface TestServer {
  readonly address: ProxyAddress;
  readonly requests: readonly string[];
  close(): Promise<void>;
}

/** Starts it with a chain (leaf first, PEM). */
export async function startTlsServer(pair: Pair, chain: readonly string[], options: ServerOptions = {}, answer?: RequestListener): Promise<TestServer> {
  const requests: string[] = [];
  const server: Server = createServer({ key: pair.pem, cert: [pair.certificate, ...chain].join(""), ...options }, (request, response) => {
    requests.push(`${request.method ?? ""} ${request.url ?? ""}`);
    if (answer) answer(request, response);
    else response.end("{}");
  });
  server.on("tlsClientError", () => undefined);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    address: parseProxyAddress(`127.0.0.1:${(server.address() as AddressInfo).port}`),
    requests,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
