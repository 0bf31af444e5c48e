import { generateKeyPairSync, randomBytes, type KeyObject } from "node:crypto";
import { once } from "node:events";
import { createServer, connect, type AddressInfo, type Socket } from "node:net";
import { describe, expect, it, onTestFinished } from "vitest";
import { systemRandom } from "../base/index.ts";
import { signSshCertificate, sshForever, sshPublicKey } from "../formats/index.ts";
import { connectTransport, serveTransport, type ConnectOptions, type ServeOptions, type Transport } from "./index.ts";

function newKey(): KeyObject {
  return generateKeyPairSync("ed25519").privateKey;
}
const authority = newKey();
function certify(key: KeyObject, type: "user" | "host", principals: readonly string[]): string {
  return signSshCertificate(
    { type, publicKey: sshPublicKey(key), serial: 1n, keyId: "test", principals, validAfter: 0n, validBefore: sshForever, criticalOptions: new Map(), extensions: new Map() },
    authority,
    systemRandom,
  );
}
const hostKey = newKey();
const hostKeys = [{ privateKey: hostKey, certificate: certify(hostKey, "host", ["web-1"]) }];

async function socketPair(): Promise<[Socket, Socket]> {
  const server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const client = connect((server.address() as AddressInfo).port, "127.0.0.1");
  const [[accepted]] = (await Promise.all([once(server, "connection"), once(client, "connect")])) as [[Socket], unknown];
  server.close();
  onTestFinished(() => {
    client.destroy();
    accepted.destroy();
  });
  return [client, accepted];
}

async function pair(client: Partial<ConnectOptions> = {}, server: Partial<ServeOptions> = {}): Promise<[Transport, Transport]> {
  const [outgoing, incoming] = await socketPair();
  return Promise.all([
    connectTransport({ socket: outgoing, user: "ana", verifyHost: () => undefined, credentials: () => [{ method: "none" }], ...client }),
    serveTransport({ socket: incoming, hostKeys, authenticate: () => ({ accept: true }), ...server }),
  ]);
}

describe("two transports", () => {
  it("carry messages both ways", async () => {
    const [client, server] = await pair();
    const got: Buffer[] = [];
    const done = new Promise<void>((resolve) => {
      client.start({ onPayload: (payload) => { got.push(payload); if (got.length === 3) resolve(); }, onEnd: () => undefined });
    });
    server.start({ onPayload: (payload) => server.send(payload), onEnd: () => undefined });
    const messages = [Buffer.concat([Buffer.of(94), randomBytes(32 * 1024)]), Buffer.of(94), Buffer.concat([Buffer.of(94), randomBytes(200 * 1024)])];
    for (const each of messages) client.send(each);
    await done;
    expect(got).toEqual(messages);
    expect(server.user).toBe("ana");
    expect(server.algorithms).toMatchObject({ kex: "curve25519-sha256", strictKex: true, hostKey: "ssh-ed25519-cert-v01@openssh.com" });
  });
});
