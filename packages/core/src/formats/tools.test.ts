import { execFile } from "node:child_process";
import { createPublicKey, generateKeyPairSync, randomBytes, type KeyObject } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import type { AddressInfo } from "node:net";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import { createServer as createTlsServer, connect as connectTls, type TLSSocket } from "node:tls";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { errorMessage, systemRandom } from "../base/index.ts";
import { requireTool, sshRun, startSshd } from "../testing/index.ts";
import { buildCertificate, encodeOpenSshPrivateKey, formatAuthorizedKey, parseCertificate, parseSshCertificate, signSshCertificate, sshFingerprint, sshPublicKey, verifySshCertificate } from "./index.ts";

const run = promisify(execFile);
const hasKeygen = requireTool("ssh-keygen", "apt-get install openssh-client");
const hasSshd = requireTool("sshd", "apt-get install openssh-server, and have /usr/sbin on PATH") && requireTool("ssh", "apt-get install openssh-client");
const hasOpenssl = requireTool("openssl", "apt-get install openssl");

const keys: Readonly<Record<string, KeyObject>> = {
  ed25519: generateKeyPairSync("ed25519").privateKey,
  "ecdsa-256": generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey,
  "ecdsa-384": generateKeyPairSync("ec", { namedCurve: "P-384" }).privateKey,
  "ecdsa-521": generateKeyPairSync("ec", { namedCurve: "P-521" }).privateKey,
  rsa: generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey,
};
const keygenType: Readonly<Record<string, string[]>> = {
  ed25519: ["-t", "ed25519"],
  "ecdsa-256": ["-t", "ecdsa", "-b", "256"],
  "ecdsa-384": ["-t", "ecdsa", "-b", "384"],
  "ecdsa-521": ["-t", "ecdsa", "-b", "521"],
  rsa: ["-t", "rsa", "-b", "2048"],
};
const pairs = Object.keys(keys).flatMap((subject) => Object.keys(keys).map((authority) => [subject, authority] as const));

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "gatehouse-formats-"));
});
afterAll(() => rm(directory, { recursive: true, force: true }));
const file = (name: string): string => join(directory, name);
const write = (name: string, content: string): Promise<void> => writeFile(file(name), content, { mode: 0o600 });

describe.skipIf(!hasKeygen)("ssh-keygen", () => {
  it.each(pairs)("reads a certificate of a %s key signed by a %s authority", async (subject, authority) => {
    const line = signSshCertificate(
      {
        type: "user",
        publicKey: sshPublicKey(keys[subject]!),
        serial: 18446744073709551615n,
        keyId: "ana",
        principals: ["ana", "deploy"],
        validAfter: 1_700_000_000n,
        validBefore: 1_700_003_600n,
        criticalOptions: new Map([["source-address", "10.0.0.0/8"]]),
        extensions: new Map([["permit-pty", ""], ["permit-agent-forwarding", ""], ["teleport-roles", '{"version":"v1","roles":["access"]}']]),
      },
      keys[authority]!,
      systemRandom,
    );
    await write("cert.pub", line);
    const { stdout } = await run("ssh-keygen", ["-L", "-f", file("cert.pub")], { env: { ...process.env, TZ: "UTC" } });
    expect(stdout).toContain("user certificate");
    expect(stdout).toContain(`Public key: ${{ ed: "ED25519", ec: "ECDSA", rs: "RSA" }[subject.slice(0, 2)]!}-CERT ${sshFingerprint(sshPublicKey(keys[subject]!))}`);
    expect(stdout).toContain(sshFingerprint(sshPublicKey(keys[authority]!)));
    if (authority === "rsa") expect(stdout).toContain("(using rsa-sha2-512)");
    expect(stdout.replaceAll(/\s+/g, " ")).toContain(
      'Key ID: "ana" Serial: 18446744073709551615 Valid: from 2023-11-14T22:13:20 to 2023-11-14T23:13:20 Principals: ana deploy Critical Options: source-address 10.0.0.0/8 Extensions: permit-agent-forwarding permit-pty teleport-roles UNKNOWN OPTION',
    );
  });

  it.each(Object.entries(keys))("reads a private key of type %s and finds the same public key", async (name, key) => {
    await write(`id_${name}`, encodeOpenSshPrivateKey(key, "ana@laptop"));
    const { stdout } = await run("ssh-keygen", ["-y", "-f", file(`id_${name}`)]);
    expect(stdout.trim()).toBe(formatAuthorizedKey(sshPublicKey(key), "ana@laptop"));
  });

  it.each(Object.keys(keys))("signs with a %s authority what we read and verify", async (name) => {
    const authority = `ca_${name}`;
    await run("ssh-keygen", ["-q", ...keygenType[name]!, "-N", "", "-C", "", "-f", file(authority)]);
    await write("host_key.pub", formatAuthorizedKey(sshPublicKey(keys["ecdsa-256"]!)));
    await run("ssh-keygen", ["-q", "-s", file(authority), "-h", "-I", "web one", "-n", "web-1,web-1.example", "-z", "42", "-V", "-1m:+1h", file("host_key.pub")]);
    const certificate = parseSshCertificate(await readFile(file("host_key-cert.pub"), "utf8"));
    expect(certificate).toMatchObject({ type: "host", keyId: "web one", serial: 42n, principals: ["web-1", "web-1.example"] });
    const [, base64 = ""] = (await readFile(file(`${authority}.pub`), "utf8")).split(" ");
    verifySshCertificate(certificate, { caKeys: [Buffer.from(base64, "base64")], now: Date.now(), type: "host", principal: "web-1" });
  });
});

describe.skipIf(!hasSshd)("sshd and ssh", () => {
  const login = userInfo().username;
  const now = BigInt(Math.floor(Date.now() / 1000));

  /** Runs `use` against an sshd whose host certificate and trusted authority are of these types. */
  async function withSshd(authority: KeyObject, hostKey: KeyObject, use: (port: number) => Promise<void>): Promise<void> {
    await write("host", encodeOpenSshPrivateKey(hostKey));
    await write("host-cert.pub", signSshCertificate({ type: "host", publicKey: sshPublicKey(hostKey), serial: 1n, keyId: "", principals: ["web-1.example"], validAfter: now - 60n, validBefore: now + 600n, criticalOptions: new Map(), extensions: new Map() }, authority, systemRandom));
    await write("trusted", `${formatAuthorizedKey(sshPublicKey(authority))}\n`);
    await write("known_hosts", `@cert-authority *.example ${formatAuthorizedKey(sshPublicKey(authority))}\n`);
    const sshd = await startSshd(directory, [`HostKey ${file("host")}`, `HostCertificate ${file("host-cert.pub")}`, `TrustedUserCAKeys ${file("trusted")}`]);
    try {
      await use(sshd.port);
    } catch (error) {
      throw new Error(`${errorMessage(error)}\nsshd said:\n${sshd.log()}`, { cause: error });
    } finally {
      await sshd.stop();
    }
  }

  const ssh = (port: number, hostName = "web-1.example"): Promise<string> =>
    sshRun({ port, hostName, identityFile: file("id"), certificateFile: file("id-cert.pub"), knownHosts: file("known_hosts") }, "echo in as $USER");

  async function identity(key: KeyObject, authority: KeyObject, principals: readonly string[], validBefore = now + 600n): Promise<void> {
    await write("id", encodeOpenSshPrivateKey(key));
    await write("id-cert.pub", signSshCertificate({ type: "user", publicKey: sshPublicKey(key), serial: 2n, keyId: "ana", principals, validAfter: now - 60n, validBefore, criticalOptions: new Map([["source-address", "127.0.0.0/8"]]), extensions: new Map([["permit-pty", ""], ["teleport-roles", "{}"]]) }, authority, systemRandom));
  }

  it.each([["ed25519", "ecdsa-256"], ["ecdsa-384", "ed25519"], ["ecdsa-521", "rsa"], ["rsa", "ecdsa-521"]] as const)("log in and trust the host with a %s authority and %s keys", async (authority, key) => {
    await withSshd(keys[authority]!, keys[key]!, async (port) => {
      await identity(keys[key]!, keys[authority]!, ["someone", login]);
      expect(await ssh(port)).toBe(`in as ${login}\n`);
    });
  });

  it("refuse another principal, an expired certificate, another authority, and another host name", async () => {
    const authority = keys["ed25519"]!;
    const key = keys["ecdsa-256"]!;
    await withSshd(authority, key, async (port) => {
      await identity(key, authority, ["-no-logins-"]);
      await expect(ssh(port)).rejects.toThrow(/Permission denied/);
      await identity(key, authority, [login], now - 1n);
      await expect(ssh(port)).rejects.toThrow(/Permission denied/);
      await identity(key, keys["rsa"]!, [login]);
      await expect(ssh(port)).rejects.toThrow(/Permission denied/);
      await identity(key, authority, [login]);
      await expect(ssh(port, "web-2.example")).rejects.toThrow(/Host key verification failed|No matching|not listed/i);
      expect(await ssh(port)).toBe(`in as ${login}\n`);
    });
  });
});

describe("TLS libraries", () => {
  const notBefore = Date.now() - 60_000;
  function chain(privateKey: KeyObject): { readonly ca: string; readonly server: string; readonly client: string; readonly key: KeyObject } {
    const ca = buildCertificate(
      { serial: 1n, subject: { O: ["example"], CN: ["example"], serialNumber: ["1"] }, notBefore, notAfter: notBefore + 1e9, publicKey: createPublicKey(privateKey), ca: { pathLength: 0 }, keyUsage: ["digitalSignature", "keyCertSign"] },
      { privateKey },
    );
    const leafKey = generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey;
    const issue = (usage: "serverAuth" | "clientAuth"): string =>
      buildCertificate(
        {
          serial: BigInt(`0x${randomBytes(15).toString("hex")}`) + 1n,
          subject: { O: ["access", "auditor"], L: ["ana"], postalCode: ['{"a":["é"]}'], CN: ["ana"] },
          notBefore,
          notAfter: notBefore + 1e8,
          publicKey: createPublicKey(leafKey),
          keyUsage: ["digitalSignature"],
          extendedKeyUsage: [usage],
          dnsNames: usage === "serverAuth" ? ["gateway.example"] : [],
          ipAddresses: usage === "serverAuth" ? ["127.0.0.1"] : [],
        },
        { privateKey, certificate: parseCertificate(ca) },
      );
    return { ca, server: issue("serverAuth"), client: issue("clientAuth"), key: leafKey };
  }
  const authorities = Object.entries({ ecdsa: keys["ecdsa-256"]!, ed25519: keys["ed25519"]!, rsa: keys["rsa"]! });

  it.skipIf(!hasOpenssl).each(authorities)("openssl verifies what a %s authority signed, for its purpose alone", async (_, authority) => {
    const { ca, server, client } = chain(authority);
    await Promise.all([write("ca.pem", ca), write("server.pem", server), write("client.pem", client)]);
    const verify = (purpose: string, name: string): Promise<unknown> => run("openssl", ["verify", "-x509_strict", "-purpose", purpose, "-CAfile", file("ca.pem"), file(name)]);
    await verify("sslserver", "server.pem");
    await verify("sslclient", "client.pem");
    await expect(verify("sslclient", "server.pem")).rejects.toThrow();
    await expect(verify("sslserver", "client.pem")).rejects.toThrow();
    const { stdout } = await run("openssl", ["x509", "-in", file("client.pem"), "-noout", "-text", "-nameopt", "RFC2253,utf8,-esc_msb"]);
    expect(stdout).toMatch(/Issuer: serialNumber=1,CN=example,O=example/);
    expect(stdout).toMatch(/Subject: CN=ana,postalCode=\{\\"a\\":\[\\"é\\"\]\},L=ana,O=auditor\+O=access/);
    expect(stdout).toContain("TLS Web Client Authentication");
    expect(stdout).toContain("X509v3 Key Usage: critical");
  });

  it.each(authorities)("Node shakes hands both ways with what a %s authority signed", async (_, authority) => {
    const { ca, server, client, key } = chain(authority);
    const pem = key.export({ type: "pkcs8", format: "pem" }).toString();
    const listener = createTlsServer({ ca, cert: server, key: pem, requestCert: true, rejectUnauthorized: true });
    listener.listen(0, "127.0.0.1");
    await once(listener, "listening");
    const accepted = once(listener, "secureConnection");
    const socket = connectTls({ port: (listener.address() as AddressInfo).port, host: "127.0.0.1", servername: "gateway.example", ca, cert: client, key: pem });
    await once(socket, "secureConnect");
    const [peer] = (await accepted) as [TLSSocket];
    expect(socket.authorized && peer.authorized).toBe(true);
    expect(parseCertificate(peer.getPeerX509Certificate()!.raw).subject).toMatchObject({ CN: ["ana"], O: ["access", "auditor"] });
    socket.destroy();
    peer.destroy();
    listener.close();
  });
});
