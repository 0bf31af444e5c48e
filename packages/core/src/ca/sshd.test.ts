import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { nullLogger, systemClock, systemRandom } from "../base/index.ts";
import { encodeOpenSshPrivateKey } from "../formats/index.ts";
import { openStore, type Store } from "../store/index.ts";
import { requireTool, sshRun, startSshd, type Sshd } from "../testing/index.ts";
import { exportAuthority, newKeyPair, openAuthorities, type Authorities } from "./index.ts";

const available = requireTool("sshd", "apt-get install openssh-server, and have /usr/sbin on PATH") && requireTool("ssh", "apt-get install openssh-client");

describe.skipIf(!available)("a host that trusts the exported authorities", () => {
  let directory: string;
  let store: Store;
  let authorities: Authorities;
  let sshd: Sshd;
  const login = userInfo().username;
  const file = (name: string): string => join(directory, name);
  const write = (name: string, content: string): Promise<void> => writeFile(file(name), content, { mode: 0o600 });

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), "gatehouse-ca-sshd-"));
    store = await openStore({ path: join(directory, "db", "gatehouse.db"), keyFile: join(directory, "secret.key"), clock: systemClock, random: systemRandom, logger: nullLogger });
    authorities = await openAuthorities({ store, clusterName: "example", clock: systemClock, random: systemRandom });
    const host = await newKeyPair();
    const issued = authorities.issueHost({ publicKey: host.publicKey, hostId: "5f2b", nodeName: "web-1", role: "Node", principals: [], dnsNames: [], ipAddresses: [], ttl: 600_000 });
    await write("host", encodeOpenSshPrivateKey(host.privateKey));
    await write("host-cert.pub", issued.ssh);
    await write("trusted", `${exportAuthority(authorities.trust("openssh")).ssh.join("\n")}\n`);
    await write("known_hosts", `${exportAuthority(authorities.trust("host")).ssh.join("\n")}\n`);
    await write("principals", `${login}@5f2b\n`);
    sshd = await startSshd(directory, [`AuthorizedPrincipalsFile ${file("principals")}`, `HostKey ${file("host")}`, `HostCertificate ${file("host-cert.pub")}`, `TrustedUserCAKeys ${file("trusted")}`]);
  });
  afterAll(async () => {
    await sshd.stop();
    await store.close();
    await rm(directory, { recursive: true });
  });

  const run = (): Promise<string> => sshRun({ port: sshd.port, hostName: "web-1.example", identityFile: file("id"), certificateFile: file("id-cert.pub"), knownHosts: file("known_hosts") }, "echo in as $USER");

  it("lets in a certificate made for one connection, whose holder trusts the host's", async () => {
    const key = await newKeyPair();
    await write("id", encodeOpenSshPrivateKey(key.privateKey));
    await write("id-cert.pub", authorities.issueConnection({ publicKey: key.publicKey, username: "ana", login, nodeId: "5f2b", sessionId: "7c1e", sourceAddresses: ["127.0.0.1"], ttl: 60_000, permitPortForwarding: false, permitAgentForwarding: false }).ssh);
    expect(await run(), sshd.log()).toBe(`in as ${login}\n`);
    expect(sshd.log()).toContain("ID ana session=7c1e");
  });

  it.each([
    ["another host", { nodeId: "another" }],
    ["another address", { sourceAddresses: ["127.0.0.2"] }],
  ])("refuses one that was made for %s", async (_what, changes) => {
    const key = await newKeyPair();
    await write("id", encodeOpenSshPrivateKey(key.privateKey));
    const request = { publicKey: key.publicKey, username: "ana", login, nodeId: "5f2b", sessionId: "7c1e", sourceAddresses: ["127.0.0.1"], ttl: 60_000, permitPortForwarding: false, permitAgentForwarding: false };
    await write("id-cert.pub", authorities.issueConnection({ ...request, ...changes }).ssh);
    await expect(run()).rejects.toThrow(/Permission denied/);
  });

  it("refuses one whose end has come", async () => {
    const key = await newKeyPair();
    await write("id", encodeOpenSshPrivateKey(key.privateKey));
    const { ssh, expires } = authorities.issueConnection({ publicKey: key.publicKey, username: "ana", login, nodeId: "5f2b", sessionId: "7c1e", sourceAddresses: ["127.0.0.1"], ttl: 2000, permitPortForwarding: false, permitAgentForwarding: false });
    await write("id-cert.pub", ssh);
    await new Promise((resolve) => setTimeout(resolve, expires - Date.now() + 1100));
    await expect(run()).rejects.toThrow(/Permission denied/);
    await expect.poll(() => sshd.log()).toContain("Certificate invalid: expired");
  });

  it("refuses a person's own certificate: there is no way around the gateway", async () => {
    const key = await newKeyPair();
    await write("id", encodeOpenSshPrivateKey(key.privateKey));
    const pair = authorities.issueUser({
      publicKey: key.publicKey, username: "ana", subjectId: "1", sessionId: "2", roles: ["access"], logins: [login], traits: {}, ttl: 600_000, permitPortForwarding: false, permitAgentForwarding: false, format: "standard",
    });
    await write("id-cert.pub", pair.ssh);
    await expect(run()).rejects.toThrow(/Permission denied/);
  });
});
