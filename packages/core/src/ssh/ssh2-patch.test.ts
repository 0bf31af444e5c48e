import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import type { AddressInfo } from "node:net";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import ssh2, { type ConnectConfig, type ParsedKey, type ServerConfig } from "ssh2";
import type { KeyExchangeMethod } from "ssh2/lib/protocol/kex.js";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { encodeOpenSshPrivateKey, formatAuthorizedKey, parseSshCertificate, sshPublicKey, verifySshCertificate } from "../formats/index.ts";
import { keyExchanges } from "./algorithms.ts";
import { certifySshKey, newSshKey, requireTool, sshKeyKinds, sshRun, startSshd, type Sshd, type SshKeyKind } from "../testing/index.ts";

const available = requireTool("sshd", "apt-get install openssh-server, and have /usr/sbin on PATH") && requireTool("ssh-agent", "apt-get install openssh-client");
const run = promisify(execFile);
const login = userInfo().username;
const suffix = "-cert-v01@openssh.com";

describe.skipIf(!available)("ssh2, patched", () => {
  const authority = newSshKey();
  const authorityKey = sshPublicKey(authority);
  let directory: string;
  let sshd: Sshd;
  const file = (name: string): string => join(directory, name);
  const write = (name: string, content: string): Promise<void> => writeFile(file(name), content, { mode: 0o600 });

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), "gatehouse-ssh2-"));
    await write("trusted", `${formatAuthorizedKey(authorityKey)}\n`);
    await write("known_hosts", `@cert-authority * ${formatAuthorizedKey(authorityKey)}\n`);
    const config = [`TrustedUserCAKeys ${file("trusted")}`];
    for (const kind of ["ed25519", "nistp256", "rsa"] as const) {
      const key = newSshKey(kind);
      await write(`host-${kind}`, encodeOpenSshPrivateKey(key));
      await write(`host-${kind}-cert.pub`, certifySshKey(authority, key, "host", ["web-1.example"]));
      config.push(`HostKey ${file(`host-${kind}`)}`, `HostCertificate ${file(`host-${kind}-cert.pub`)}`);
    }
    sshd = await startSshd(directory, config);
  });
  afterAll(async () => {
    await sshd.stop();
    await rm(directory, { recursive: true });
  });

  const certificateHostKeys = ["ssh-ed25519", "ecdsa-sha2-nistp256", "rsa-sha2-512"].map((algorithm) => algorithm + suffix);

  /** Connects and runs a command. `certificate` and the certificate algorithms are what the patch adds, so the types do not know them. */
  function clientRun(config: ConnectConfig & { certificate?: string }, hostKeyAlgorithms: readonly string[] = certificateHostKeys): Promise<string> {
    return new Promise((resolve, reject) => {
      const client = new ssh2.Client();
      onTestFinished(() => void client.destroy());
      client.on("error", reject).on("ready", () => {
        client.exec("echo in", (error, channel) => {
          if (error) {
            reject(error);
            return;
          }
          let output = "";
          channel.on("data", (chunk: Buffer) => (output += chunk.toString())).on("close", () => resolve(output));
        });
      });
      const verify = (blob: Buffer): boolean => {
        verifySshCertificate(parseSshCertificate(blob), { caKeys: [authorityKey], now: Date.now(), type: "host", principal: "web-1.example" });
        return true;
      };
      const algorithms = { serverHostKey: hostKeyAlgorithms } as NonNullable<ConnectConfig["algorithms"]>;
      client.connect({ host: "127.0.0.1", port: sshd.port, username: login, algorithms, hostVerifier: verify, ...config });
    });
  }

  function userKey(kind: SshKeyKind): { privateKey: string; certificate: string } {
    const key = newSshKey(kind);
    return { privateKey: encodeOpenSshPrivateKey(key), certificate: certifySshKey(authority, key, "user", [login]) };
  }

  it.each(sshKeyKinds)("presents a user certificate over a key of kind %s to real sshd", async (kind) => {
    expect(await clientRun(userKey(kind))).toBe("in\n");
  });

  it.each(sshKeyKinds)("presents a certificate over a key of kind %s that an agent holds", async (kind) => {
    const { privateKey, certificate } = userKey(kind);
    await write(`agent-${kind}`, privateKey);
    await write(`agent-${kind}-cert.pub`, certificate);
    const socket = file(`${kind}.sock`);
    const agent = spawn("ssh-agent", ["-D", "-a", socket], { stdio: ["ignore", "pipe", "inherit"] });
    onTestFinished(() => void agent.kill());
    await once(agent.stdout, "data");
    await run("ssh-add", ["-q", file(`agent-${kind}`)], { env: { ...process.env, SSH_AUTH_SOCK: socket } });
    expect(await clientRun({ agent: socket })).toBe("in\n");
  });

  it.each(certificateHostKeys)("takes a host certificate, by %s", async (algorithm) => {
    expect(await clientRun(userKey("ed25519"), [algorithm])).toBe("in\n");
  });

  it("leaves it to the caller to refuse a host certificate", async () => {
    await expect(clientRun({ ...userKey("ed25519"), hostVerifier: () => false })).rejects.toThrow(/denied/);
  });

  it("refuses a certificate over another key than the private one", () => {
    const config = { username: login, privateKey: userKey("ed25519").privateKey, certificate: userKey("ed25519").certificate };
    expect(() => new ssh2.Client().connect(config)).toThrow(/different key/);
  });

  it("refuses a plain key in the place of a certificate", () => {
    const line = formatAuthorizedKey(sshPublicKey(newSshKey()));
    expect(() => new ssh2.Client().connect({ username: login, privateKey: userKey("ed25519").privateKey, certificate: line } as ConnectConfig)).toThrow(/Not an OpenSSH certificate/);
  });

  describe("key exchanges beside its own", () => {
    const name = "mlkem768x25519-sha256";
    const method = (changed: Partial<KeyExchangeMethod> = {}): Record<string, KeyExchangeMethod> => ({ [name]: { ...keyExchanges[name]!, ...changed } });

    /** Lets a client of ssh2's and a server of ssh2's exchange keys twice; resolves with the names of how they did. */
    async function exchange(clientMethods: object, serverMethods: object): Promise<string[]> {
      const algorithms = { kex: { prepend: [name] } };
      const names: string[] = [];
      const server = new ssh2.Server({ hostKeys: [encodeOpenSshPrivateKey(newSshKey())], algorithms, keyExchanges: serverMethods } as unknown as ServerConfig, (peer) => {
        peer.on("error", () => undefined).on("authentication", (context) => context.accept()).on("ready", () => peer.rekey());
      });
      server.listen(0, "127.0.0.1");
      await once(server, "listening");
      onTestFinished(() => void server.close());
      const client = new ssh2.Client();
      onTestFinished(() => void client.destroy());
      return new Promise((resolve, reject) => {
        client.on("error", reject).on("close", () => reject(new Error("closed")));
        client.on("handshake", ({ kex }) => names.push(kex) === 2 && resolve(names));
        const { port } = server.address() as AddressInfo;
        client.connect({ host: "127.0.0.1", port, username: login, algorithms, keyExchanges: clientMethods, hostVerifier: () => true } as unknown as ConnectConfig);
      });
    }

    it("takes those that are given to it, on both sides, once and again", async () => {
      expect(await exchange(method(), method())).toEqual([name, name]);
    });

    it("ends on what a method throws", async () => {
      const no = (): never => {
        throw new Error("no such number");
      };
      await expect(exchange(method({ begin: () => ({ init: Buffer.alloc(3), finish: no }) }), method({ respond: () => ({ reply: Buffer.alloc(3), secret: Buffer.alloc(32) }) }))).rejects.toThrow(`Error while computing DH secret (${name}): no such number`);
      await expect(exchange(method(), method({ respond: no }))).rejects.toThrow();
    });

    it("ends where the secrets differ", async () => {
      await expect(exchange(method(), method({ respond: (init) => ({ ...method()[name]!.respond(init), secret: Buffer.alloc(32) }) }))).rejects.toThrow(/signature verification failed/);
    });

    it("offers none that it does not know", () => {
      expect(() => new ssh2.Client().connect({ username: login, algorithms: { kex: [name] } } as unknown as ConnectConfig)).toThrow(/Unsupported algorithm/);
    });
  });

  it.each(sshKeyKinds)("serves real ssh with host and user certificates over keys of kind %s", async (kind) => {
    const host = newSshKey(kind);
    const seen: { algo: string; verified: unknown }[] = [];
    const hostKeys = [{ key: encodeOpenSshPrivateKey(host), certificate: certifySshKey(authority, host, "host", ["web-1.example"]) }] as unknown as ServerConfig["hostKeys"];
    const server = new ssh2.Server({ hostKeys }, (client) => {
      client.on("error", () => undefined);
      client.on("authentication", (context) => {
        if (context.method !== "publickey") {
          context.reject(["publickey"]);
          return;
        }
        const certificate = parseSshCertificate(context.key.data);
        verifySshCertificate(certificate, { caKeys: [authorityKey], now: Date.now(), type: "user", principal: login });
        if (context.signature) {
          const key = ssh2.utils.parseKey(context.key.data) as ParsedKey;
          const verified = key.verify(context.blob!, context.signature, context.hashAlgo);
          seen.push({ algo: context.key.algo, verified });
          expect(key.verify(Buffer.from("another text"), context.signature, context.hashAlgo)).toBe(false);
        }
        context.accept();
      });
      client.on("session", (accept) => {
        accept().on("exec", (acceptExec, _reject, info) => {
          const channel = acceptExec();
          channel.write(`ran ${info.command}\n`);
          channel.exit(0);
          channel.end();
        });
      });
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    onTestFinished(() => void server.close());
    const { privateKey, certificate } = userKey(kind);
    await write("id", privateKey);
    await write("id-cert.pub", certificate);
    const { port } = server.address() as AddressInfo;
    const output = await sshRun({ port, hostName: "web-1.example", identityFile: file("id"), certificateFile: file("id-cert.pub"), knownHosts: file("known_hosts") }, "echo in");
    expect(output).toBe("ran echo in\n");
    expect(seen).toEqual([{ algo: certificate.split(" ")[0], verified: true }]);
  });

});
