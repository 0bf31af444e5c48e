import { randomBytes } from "node:crypto";
import { once } from "node:events";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { sshPublicKey, sshSign, SshWriter } from "../formats/index.ts";
import { certifySshKey, newSshKey } from "../testing/index.ts";
import { connectTransport, serveTransport, type AuthAttempt } from "./index.ts";
import type { Connection } from "./transport.ts";
import { authority, hostKeys, socketPair, through, accept, pair, rawClient, newMessage, service, request } from "./test-transports.ts";

describe("two transports", () => {
  it("carry messages both ways, of every size", async () => {
    const [client, server] = await pair();
    const got: Buffer[] = [];
    server.start({ onPayload: (payload) => server.send(payload), onEnd: () => undefined });
    client.start({ onPayload: (payload) => got.push(payload), onEnd: () => undefined });
    const sizes = [0, 1, 2, 11, 12, 13, 1000, 32 * 1024 + 9, 200 * 1024];
    const messages = sizes.map((size) => Buffer.concat([Buffer.of(94), randomBytes(size)]));
    for (const each of messages) client.send(each);
    await expect.poll(() => got.length).toBe(sizes.length);
    expect(got).toEqual(messages);
    expect(server.user).toBe("ana");
    expect(server.algorithms).toMatchObject({ kex: "mlkem768x25519-sha256", strictKex: true, hostKey: "ssh-ed25519-cert-v01@openssh.com" });
  });

  it("put messages together from whatever pieces they come in", async () => {
    const cuts = fc.array(fc.oneof(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: 70_000 })), { minLength: 1, maxLength: 8 });
    await fc.assert(
      fc.asyncProperty(cuts, fc.array(fc.oneof(fc.nat(50), fc.nat(70_000)), { minLength: 1, maxLength: 8 }), async (sizes, lengths) => {
        const [outgoing, incoming] = await socketPair();
        outgoing.setNoDelay(true);
        let turn = 0;
        const socket = through(outgoing, (chunk) => {
          const pieces: Buffer[] = [];
          for (let at = 0; at < chunk.length; ) {
            const size = sizes[turn++ % sizes.length]! + Math.floor(chunk.length / 200);
            pieces.push(chunk.subarray(at, at + size));
            at += size;
          }
          return pieces;
        });
        const [client, server] = await pair({ socket }, { socket: incoming });
        const got: Buffer[] = [];
        const done = new Promise<void>((resolve) => {
          server.start({ onPayload: (payload) => got.push(payload) === lengths.length && resolve(), onEnd: () => undefined });
        });
        client.start({ onPayload: () => undefined, onEnd: () => undefined });
        const messages = lengths.map((length) => Buffer.concat([Buffer.of(94), randomBytes(length)]));
        for (const each of messages) client.send(each);
        await done;
        expect(got).toEqual(messages);
        client.destroy();
        server.destroy();
      }),
      { numRuns: 25 },
    );
  });
});

describe("the post-quantum key exchange", () => {
  /** Each message's bytes before what both sides make their keys of, and how many bytes that is. */
  const messages = { client: { head: Buffer.from("1e000004c0", "hex"), length: 1216 }, server: { head: Buffer.from("00000460", "hex"), length: 1120 } };

  it("ends on both sides when a byte of either message is another", async () => {
    await fc.assert(
      fc.asyncProperty(fc.constantFrom("client" as const, "server" as const), fc.oneof(fc.nat(2000), fc.constantFrom(-1, -32, -33)), fc.oneof(fc.integer({ min: 1, max: 255 }), fc.constant(0x80)), async (side, where, bits) => {
        const { head, length } = messages[side];
        let changed = false;
        const change = (chunk: Buffer): readonly Buffer[] => {
          const start = changed ? -1 : chunk.indexOf(head);
          if (start < 0) return [chunk];
          const at = start + head.length + ((where + length) % length);
          chunk[at] = chunk[at]! ^ bits;
          changed = true;
          return [chunk];
        };
        const [outgoing, incoming] = await socketPair();
        const client = connectTransport({ socket: side === "client" ? through(outgoing, change) : outgoing, user: "ana", verifyHost: () => undefined, credentials: () => [{ method: "none" }] });
        const server = serveTransport({ socket: side === "server" ? through(incoming, change) : incoming, hostKeys, authenticate: accept });
        const ends = await Promise.allSettled([client, server]);
        expect(changed).toBe(true);
        for (const end of ends) expect(end).toMatchObject({ status: "rejected", reason: { name: "GatehouseError" } });
        outgoing.destroy();
        incoming.destroy();
      }),
      { numRuns: 40, examples: [["client", -1, 0x80], ["server", -1, 0x80]] },
    );
  });

  it("tells what was wrong with the message of a stranger", async () => {
    const [outgoing, incoming] = await socketPair();
    // The highest of the key's numbers: 4095, where 3328 is the last.
    const spoil = (chunk: Buffer): readonly Buffer[] => {
      const start = chunk.indexOf(messages.client.head);
      if (start >= 0) chunk.fill(0xff, start + 5, start + 8);
      return [chunk];
    };
    const client = connectTransport({ socket: through(outgoing, spoil), user: "ana", verifyHost: () => undefined, credentials: () => [{ method: "none" }] });
    client.catch(() => undefined);
    await expect(serveTransport({ socket: incoming, hostKeys, authenticate: accept })).rejects.toMatchObject({ code: "bad_parameter", message: expect.stringContaining("the SSH client's key exchange has an ML-KEM key that is none") as string });
    await expect(client).rejects.toMatchObject({ name: "GatehouseError" });
  });
});

describe("the server's user authentication", () => {
  it("refuses password, keyboard-interactive, host-based and plain keys without asking", async () => {
    const asked: AuthAttempt[] = [];
    const key = newSshKey();
    const blob = sshPublicKey(key);
    await rawClient({ authenticate: (attempt) => (asked.push(attempt), { accept: true }) }, async (connection, messages) => {
      connection.sendAuth(service);
      for (const method of ["password", "keyboard-interactive", "hostbased"]) connection.sendAuth(request(method).raw(Buffer.of(0)).string("secret").toBuffer());
      const unsigned = request("publickey").raw(Buffer.of(1)).string("ssh-ed25519").string(blob).toBuffer();
      const signature = sshSign(key, new SshWriter().string(connection.sessionId).raw(unsigned).toBuffer());
      connection.sendAuth(new SshWriter().raw(unsigned).string(signature).toBuffer());
      const answers = (await messages(6)).slice(-4);
      expect(answers.map((answer) => answer[0])).toEqual([51, 51, 51, 51]);
      connection.destroy();
    });
    expect(asked).toEqual([]);
  });

  it.each([
    ["over another session's id", (): Buffer => Buffer.alloc(32), "ssh-ed25519-cert-v01@openssh.com"],
    ["by another algorithm's name", (connection: Connection): Buffer => connection.sessionId, "ecdsa-sha2-nistp256-cert-v01@openssh.com"],
  ])("takes no signature %s", async (_, id, algorithm) => {
    const asked: AuthAttempt[] = [];
    const key = newSshKey();
    const certificate = Buffer.from(certifySshKey(authority, key, "user", ["ana"]).split(" ")[1]!, "base64");
    await rawClient({ authenticate: (attempt) => (asked.push(attempt), { accept: true }) }, async (connection, messages) => {
      connection.sendAuth(service);
      const unsigned = request("publickey").raw(Buffer.of(1)).string(algorithm).string(certificate).toBuffer();
      connection.sendAuth(new SshWriter().raw(unsigned).string(sshSign(key, new SshWriter().string(id(connection)).raw(unsigned).toBuffer())).toBuffer());
      expect((await messages(3)).at(-1)?.[0]).toBe(51);
      connection.destroy();
    });
    expect(asked).toEqual([]);
  });

  it("ends after so many attempts, and after so much time", async () => {
    const [outgoing, incoming] = await socketPair();
    const client = connectTransport({ socket: outgoing, user: "ana", verifyHost: () => undefined, credentials: () => Array.from({ length: 10 }, () => ({ method: "none" as const })) });
    client.catch(() => undefined);
    await expect(serveTransport({ socket: incoming, hostKeys, authenticate: () => ({ accept: false }), limits: { authAttempts: 3 } })).rejects.toThrow(/too many attempts/);
    await expect(client).rejects.toThrow(/too many authentication failures/);
    const slow = pair({}, { authenticate: () => new Promise(() => undefined), limits: { authTime: 100 } });
    await expect(slow).rejects.toThrow();
  });

  it("lets nobody in whose connection ended while it was decided", async () => {
    const [outgoing, incoming] = await socketPair();
    let decide: () => void = () => undefined;
    const asked = new Promise<void>((resolve) => {
      const served = serveTransport({ socket: incoming, hostKeys, authenticate: () => new Promise((answer) => { decide = () => answer({ accept: true }); resolve(); }), limits: { authTime: 200 } });
      served.then(() => expect.unreachable(), () => undefined);
    });
    connectTransport({ socket: outgoing, user: "ana", verifyHost: () => undefined, credentials: () => [{ method: "none" }] }).catch(() => undefined);
    await asked;
    outgoing.destroy();
    await once(incoming, "close");
    decide();
    await new Promise((resolve) => setTimeout(resolve, 20));
  });

  it("takes no message of the connection protocol before it is over", async () => {
    await rawClient({}, async (connection, messages) => {
      connection.sendAuth(newMessage(90).string("session").uint32(0).uint32(1).uint32(1).toBuffer());
      expect((await messages(2)).at(-1)?.toString()).toMatch(/closed the connection/);
    });
  });
});
