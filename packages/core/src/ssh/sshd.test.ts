import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { encodeOpenSshPrivateKey, formatAuthorizedKey, sshPublicKey, verifySshCertificate, SshReader, SshWriter } from "../formats/index.ts";
import { certifySshKey, newSshKey, requirePostQuantumOpenSsh, requireTool, sshKeyKinds, startSshd, type Sshd, type SshKeyKind } from "../testing/index.ts";
import { connectTransport, type ConnectOptions, type Transport } from "./index.ts";

const available = requireTool("sshd", "apt-get install openssh-server, and have /usr/sbin on PATH");
const newer = requirePostQuantumOpenSsh();
const login = userInfo().username;

/** Runs a command over a session channel of our own; returns what it wrote and its exit status. */
async function exec(transport: Transport, command: string, onOutput: (bytes: number) => void = () => undefined): Promise<{ output: string; status: number }> {
  const channel = (number: number): SshWriter => new SshWriter().raw(Buffer.of(number)).uint32(0);
  let output = "";
  let status = -1;
  await new Promise<void>((resolve, reject) => {
    transport.start({
      onPayload: (payload) => {
        const reader = new SshReader(payload.subarray(1), "a message");
        switch (payload[0]) {
          case 91:
            transport.send(channel(98).string("exec").raw(Buffer.of(1)).string(command).toBuffer());
            break;
          case 94: {
            reader.uint32();
            const data = reader.string();
            if (output.length < 1000) output += data.toString();
            onOutput(data.length);
            transport.send(channel(93).uint32(data.length).toBuffer());
            break;
          }
          case 98:
            reader.uint32();
            if (reader.text() === "exit-status") {
              reader.bytes(1);
              status = reader.uint32();
            }
            break;
          case 97:
            resolve();
        }
      },
      onEnd: (end) => reject(new Error(JSON.stringify(end))),
    });
    transport.send(new SshWriter().raw(Buffer.of(90)).string("session").uint32(0).uint32(2 ** 21).uint32(32_768).toBuffer());
  });
  return { output, status };
}

describe.skipIf(!available)("a client of real sshd", () => {
  const authority = newSshKey();
  const authorityKey = sshPublicKey(authority);
  let directory: string;
  const servers: Sshd[] = [];
  const ports = new Map<SshKeyKind, number>();

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), "gatehouse-ssh-"));
    await writeFile(join(directory, "trusted"), `${formatAuthorizedKey(authorityKey)}\n`);
    for (const kind of sshKeyKinds) ports.set(kind, (await serve(kind, kind === "nistp256" ? ["RekeyLimit 1M"] : [])).port);
  });
  afterAll(async () => {
    for (const sshd of servers) await sshd.stop();
    await rm(directory, { recursive: true });
  });

  async function serve(kind: SshKeyKind, config: readonly string[], program?: string): Promise<Sshd> {
    const key = newSshKey(kind);
    const home = await mkdtemp(join(directory, "host-"));
    await writeFile(join(home, "host"), encodeOpenSshPrivateKey(key), { mode: 0o600 });
    await writeFile(join(home, "host-cert.pub"), certifySshKey(authority, key, "host", ["web-1.example"]));
    const sshd = await startSshd(home, [`HostKey ${join(home, "host")}`, `HostCertificate ${join(home, "host-cert.pub")}`, `TrustedUserCAKeys ${join(directory, "trusted")}`, ...config], program);
    servers.push(sshd);
    return sshd;
  }

  async function dial(host: SshKeyKind | Sshd, options: Partial<ConnectOptions> = {}): Promise<Transport> {
    const socket = connect(typeof host === "string" ? ports.get(host)! : host.port, "127.0.0.1");
    await once(socket, "connect");
    const key = newSshKey();
    return connectTransport({
      socket,
      user: login,
      verifyHost: ({ certificate }) => verifySshCertificate(certificate!, { caKeys: [authorityKey], now: Date.now(), type: "host", principal: "web-1.example" }),
      credentials: () => [{ method: "publickey", privateKey: key, certificate: certifySshKey(authority, key, "user", [login]) }],
      ...options,
    });
  }

  it.each(sshKeyKinds)("is let in with a certificate over a key of kind %s", async (kind) => {
    const key = newSshKey(kind);
    const transport = await dial("ed25519", { credentials: () => [{ method: "none" }, { method: "publickey", privateKey: key, certificate: certifySshKey(authority, key, "user", [login]) }] });
    expect(await exec(transport, "echo in; exit 42")).toEqual({ output: "in\n", status: 42 });
    transport.disconnect(11, "bye");
  });

  it.each(sshKeyKinds)("takes a host certificate over a key of kind %s", async (kind) => {
    const transport = await dial(kind);
    expect(transport.algorithms.hostKey).toMatch(/-cert-v01@openssh\.com$/);
    expect((await exec(transport, "echo in")).output).toBe("in\n");
    await transport.ping();
    transport.destroy();
  });

  it("says nothing about the user to a host that is refused", async () => {
    let asked = false;
    const refused = dial("ed25519", { verifyHost: () => Promise.reject(new Error("not this host")), credentials: () => ((asked = true), []) });
    await expect(refused).rejects.toThrow("not this host");
    expect(asked).toBe(false);
  });

  it("tells that no credential was taken", async () => {
    const key = newSshKey();
    const foreign = dial("ed25519", { credentials: () => [{ method: "publickey", privateKey: key, certificate: certifySshKey(newSshKey(), key, "user", [login]) }] });
    await expect(foreign).rejects.toMatchObject({ code: "unauthenticated" });
  });

  it.each([
    ["this side", "ed25519", { rekeyBytes: 300_000 }],
    ["sshd", "nistp256", {}],
  ] as const)("changes keys while bytes flow when %s asks for it", async (_, host, limits) => {
    const transport = await dial(host, { limits });
    const first = transport.algorithms;
    let received = 0;
    expect((await exec(transport, "head -c 3000000 /dev/zero", (bytes) => (received += bytes))).status).toBe(0);
    expect(received).toBe(3_000_000);
    expect(transport.algorithms).not.toBe(first);
    transport.destroy();
  });

  it.skipIf(!newer).each([
    ["this side", [], { rekeyBytes: 300_000 }],
    ["sshd", ["RekeyLimit 1M"], {}],
  ])("exchanges keys that no quantum computer finds, first and when %s asks for it", async (_, config, limits) => {
    const sshd = await serve("ed25519", ["LogLevel DEBUG1", ...config, ...newer!.sshdConfig], newer!.sshd);
    const transport = await dial(sshd, { limits });
    let received = 0;
    expect((await exec(transport, "head -c 3000000 /dev/zero", (bytes) => (received += bytes))).status, sshd.log()).toBe(0);
    expect(received).toBe(3_000_000);
    expect(transport.algorithms).toMatchObject({ kex: "mlkem768x25519-sha256", strictKex: true });
    transport.destroy();
    const exchanges = (): string[] => sshd.log().match(/kex: algorithm: \S*/g) ?? [];
    await expect.poll(() => exchanges().length).toBeGreaterThan(1);
    expect(new Set(exchanges())).toEqual(new Set(["kex: algorithm: mlkem768x25519-sha256"]));
  });

  it("does not change keys unasked", async () => {
    const transport = await dial("ed25519");
    const first = transport.algorithms;
    await exec(transport, "head -c 3000000 /dev/zero");
    expect(transport.algorithms).toBe(first);
    transport.destroy();
  });
});
