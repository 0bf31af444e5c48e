import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer, type AddressInfo, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { GatehouseError } from "../base/index.ts";
import { encodeOpenSshPrivateKey, formatAuthorizedKey, sshPublicKey, SshReader, SshWriter, verifySshCertificate } from "../formats/index.ts";
import { certifySshKey, newSshKey, requirePostQuantumOpenSsh, requireTool, sshKeyKinds } from "../testing/index.ts";
import { serveTransport, type AuthAttempt, type AuthVerdict, type Transport, type TransportLimits } from "./index.ts";

const available = requireTool("ssh", "apt-get install openssh-client");
const newer = requirePostQuantumOpenSsh();
const run = promisify(execFile);

/** Answers a session as the smallest server would: a command's input comes back, and its exit status is 7. */
function echoSession(transport: Transport): void {
  const to = (number: number): SshWriter => new SshWriter().raw(Buffer.of(number)).uint32(0);
  transport.start({
    onPayload: (payload) => {
      const reader = new SshReader(payload.subarray(1), "a message");
      if (payload[0] === 80) transport.send(Buffer.of(82));
      if (payload[0] === 90) transport.send(to(91).uint32(0).uint32(2 ** 21).uint32(32_768).toBuffer());
      if (payload[0] === 94) {
        reader.uint32();
        const data = reader.string();
        transport.send(to(94).string(data).toBuffer());
        transport.send(to(93).uint32(data.length).toBuffer());
      }
      if (payload[0] === 96) {
        transport.send(to(98).string("exit-status").raw(Buffer.of(0)).uint32(7).toBuffer());
        transport.send(to(96).toBuffer());
        transport.send(to(97).toBuffer());
      }
      if (payload[0] === 98) {
        reader.uint32();
        reader.text();
        if (reader.bytes(1)[0] === 1) transport.send(to(99).toBuffer());
      }
    },
    onEnd: () => undefined,
  });
}

describe.skipIf(!available)("real ssh, to a server of ours", () => {
  const authority = newSshKey();
  const authorityKey = sshPublicKey(authority);
  let directory: string;
  let server: Server;
  let port: number;
  let hostKeys: { privateKey: ReturnType<typeof newSshKey>; certificate: string }[];
  let decide: (attempt: AuthAttempt) => AuthVerdict;
  let transports: Transport[] = [];
  let failures: unknown[] = [];
  let limits: Partial<TransportLimits> = {};

  const trustAuthority = (attempt: AuthAttempt): AuthVerdict => {
    if (attempt.method === "none") return { accept: false };
    try {
      verifySshCertificate(attempt.certificate, { caKeys: [authorityKey], now: Date.now(), type: "user", principal: attempt.user });
      return { accept: true };
    } catch {
      return { accept: false };
    }
  };

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), "gatehouse-ssh-"));
    await writeFile(join(directory, "known_hosts"), `@cert-authority * ${formatAuthorizedKey(authorityKey)}\n`);
    server = createServer((socket) => {
      serveTransport({ socket, hostKeys, authenticate: (attempt) => decide(attempt), limits }).then(
        (transport) => {
          transports.push(transport);
          echoSession(transport);
        },
        (error: unknown) => failures.push(error),
      );
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    port = (server.address() as AddressInfo).port;
  });
  afterAll(async () => {
    server.close();
    await rm(directory, { recursive: true });
  });

  async function flags(kind: (typeof sshKeyKinds)[number] = "ed25519", hostKind: (typeof sshKeyKinds)[number] = "ed25519"): Promise<string[]> {
    const host = newSshKey(hostKind);
    hostKeys = [{ privateKey: host, certificate: certifySshKey(authority, host, "host", ["web-1.example"]) }];
    decide = trustAuthority;
    transports = [];
    failures = [];
    limits = {};
    const key = newSshKey(kind);
    const identity = join(directory, kind);
    await writeFile(identity, encodeOpenSshPrivateKey(key), { mode: 0o600 });
    await writeFile(`${identity}-cert.pub`, certifySshKey(authority, key, "user", ["ana"]));
    const options = {
      CertificateFile: `${identity}-cert.pub`, UserKnownHostsFile: join(directory, "known_hosts"), GlobalKnownHostsFile: "none", HostKeyAlias: "web-1.example",
      StrictHostKeyChecking: "yes", IdentitiesOnly: "yes", IdentityAgent: "none", BatchMode: "yes",
    };
    return ["-F", "none", "-p", String(port), "-i", identity, ...Object.entries(options).flatMap(([name, value]) => ["-o", `${name}=${value}`]), "ana@127.0.0.1"];
  }

  async function pipe(args: readonly string[], input: Buffer, program = "ssh"): Promise<{ output: Buffer; code: number; error: string }> {
    const child = spawn(program, args, { stdio: "pipe" });
    const output: Buffer[] = [];
    let error = "";
    child.stdout.on("data", (chunk: Buffer) => output.push(chunk));
    child.stderr.on("data", (chunk: Buffer) => (error += chunk.toString()));
    child.stdin.end(input);
    const [code] = (await once(child, "close")) as [number];
    return { output: Buffer.concat(output), code, error };
  }

  it.each(sshKeyKinds)("is let in with a certificate over a key of kind %s, and checks a host certificate of that kind", async (kind) => {
    const args = await flags(kind, kind);
    expect(await pipe([...args, "cat"], Buffer.from("hello"))).toEqual({ output: Buffer.from("hello"), code: 7, error: "" });
    expect(transports[0]!.user).toBe("ana");
  });

  it("changes keys while bytes flow, as often as ssh asks", async () => {
    const args = await flags();
    const input = Buffer.alloc(5_000_000, "0123456789abcdef");
    const result = await pipe(["-o", "RekeyLimit=1M", ...args, "cat"], input);
    expect(result.error).toBe("");
    expect(result.output.equals(input)).toBe(true);
  });

  it("changes keys while bytes flow, as often as it asks itself", async () => {
    const args = await flags();
    limits = { rekeyBytes: 500_000 };
    const input = Buffer.alloc(5_000_000, "0123456789abcdef");
    const result = await pipe(["-v", ...args, "cat"], input);
    expect(result.output.equals(input)).toBe(true);
    expect(result.error.split("SSH2_MSG_NEWKEYS received").length - 1).toBeGreaterThan(5);
  });

  it.skipIf(!newer).each([
    ["ssh asks for it", "-oRekeyLimit=1M", {}],
    ["it asks itself", "-oRekeyLimit=default", { rekeyBytes: 500_000 }],
  ])("exchanges keys that no quantum computer finds, first and whenever %s", async (_, option, serverLimits) => {
    const args = await flags();
    limits = serverLimits;
    const input = Buffer.alloc(5_000_000, "0123456789abcdef");
    const result = await pipe(["-v", option, ...args, "cat"], input, newer!.ssh);
    expect(result.output.equals(input), result.error).toBe(true);
    const exchanges = result.error.match(/kex: algorithm: .*/g)!.map((line) => line.trim());
    expect(exchanges.length).toBeGreaterThan(5);
    expect(new Set(exchanges)).toEqual(new Set(["kex: algorithm: mlkem768x25519-sha256"]));
    expect(transports[0]!.algorithms).toMatchObject({ kex: "mlkem768x25519-sha256", cipherIn: "aes128-gcm@openssh.com", strictKex: true });
  });

  it.each(["aes128-gcm@openssh.com", "aes256-gcm@openssh.com", "aes128-ctr", "aes256-ctr"])("carries bytes with %s", async (cipher) => {
    const args = await flags();
    const input = Buffer.alloc(300_000, "0123456789abcdef");
    expect((await pipe(["-c", cipher, ...args, "cat"], input)).output.equals(input)).toBe(true);
    expect(transports[0]!.algorithms).toMatchObject({ cipherIn: cipher, strictKex: true });
  });

  it("takes a command longer than the smallest packet that SSH asks for", async () => {
    const args = await flags();
    expect((await pipe([...args, "x".repeat(100_000)], Buffer.from("hello"))).output.toString()).toBe("hello");
  });

  it("shows a refused person why, and lets nobody in", async () => {
    const args = await flags();
    decide = (attempt) => (attempt.method === "none" ? { accept: false } : { accept: false, banner: "no login \"ana\" here (id 1234abcd)\r\n", end: "access denied" });
    const { code, error } = await pipe([...args, "cat"], Buffer.alloc(0));
    expect(code).toBe(255);
    expect(error).toContain('no login "ana" here (id 1234abcd)');
    expect(error).toContain("access denied");
    expect(failures[0]).toBeInstanceOf(GatehouseError);
    expect(transports).toEqual([]);
  });

  it("says goodbye with a reason", async () => {
    const args = await flags();
    const child = spawn("ssh", [...args, "cat"], { stdio: "pipe" });
    let error = "";
    child.stderr.on("data", (chunk: Buffer) => (error += chunk.toString()));
    child.stdin.write("x");
    await once(child.stdout, "data");
    transports[0]!.disconnect(11, "locked by an administrator");
    const [code] = (await once(child, "close")) as [number];
    expect(code).toBe(255);
    expect(error).toContain("locked by an administrator");
  });

  it("refuses a plain key, a password and a certificate of a stranger, whatever the server would say", async () => {
    const args = await flags();
    const asked: string[] = [];
    decide = (attempt) => (asked.push(attempt.method), { accept: attempt.method !== "none" });
    const plain = args.filter((arg, index) => !arg.startsWith("CertificateFile=") && !args[index + 1]?.startsWith("CertificateFile="));
    await rm(join(directory, "ed25519-cert.pub"));
    await expect(run("ssh", [...plain, "cat"])).rejects.toThrow(/Permission denied/);
    expect(asked).toEqual(["none"]);
  });

  it("offers no algorithm that an audit would complain about", async () => {
    const args = await flags();
    const offered = async (...more: string[]): Promise<(name: string) => string> => {
      const { error } = await pipe(["-vv", ...more, ...args, "true"], Buffer.alloc(0));
      const proposal = error.slice(error.indexOf("peer server KEXINIT proposal"));
      return (name) => new RegExp(`${name}: (.*)`).exec(proposal)?.[1]?.trim() ?? "";
    };
    const line = await offered("-c", "chacha20-poly1305@openssh.com,aes256-ctr");
    expect(line("KEX algorithms")).toBe("mlkem768x25519-sha256,curve25519-sha256,curve25519-sha256@libssh.org,ecdh-sha2-nistp256,ecdh-sha2-nistp384,ecdh-sha2-nistp521,kex-strict-s-v00@openssh.com");
    expect(line("host key algorithms")).toBe("ssh-ed25519-cert-v01@openssh.com,ssh-ed25519");
    expect(line("ciphers stoc")).toBe("aes128-gcm@openssh.com,aes256-gcm@openssh.com,aes256-ctr,aes192-ctr,aes128-ctr");
    expect(line("MACs ctos")).toBe("hmac-sha2-256-etm@openssh.com,hmac-sha2-512-etm@openssh.com");
    expect(line("compression ctos")).toBe("none");
    // To a stock client, which would like others better.
    expect((await offered())("ciphers stoc")).toBe("aes128-gcm@openssh.com,aes256-gcm@openssh.com");
  });
});
