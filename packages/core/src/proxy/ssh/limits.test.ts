import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { SshWriter, encodeSshMessage } from "../../formats/index.ts";
import { connectTransport, type Transport } from "../../ssh/index.ts";
import { requireTool } from "../../testing/index.ts";
import { ssh, writeSshConfig } from "./test-ssh.ts";
import { hostLogin, openSshWorld, type SshWorld } from "./test-world.ts";

const available = requireTool("sshd", "apt-get install openssh-server, and have /usr/sbin on PATH") && requireTool("ssh", "apt-get install openssh-client");

/** Opens a connection from an address of this machine's own; resolves to it, or to undefined where it was closed at once. */
function open(port: number, from = "127.0.0.1"): Socket {
  const socket = connect({ port, host: "127.0.0.1", localAddress: from });
  socket.on("error", () => socket.destroy());
  return socket;
}

describe.skipIf(!available)("the SSH proxy under attack", () => {
  let world: SshWorld | undefined;
  const sockets: Socket[] = [];
  afterEach(async () => {
    for (const socket of sockets.splice(0)) socket.destroy();
    await world?.close();
    world = undefined;
  });

  async function start(options: Parameters<typeof openSshWorld>[0]): Promise<{ readonly at: SshWorld; served(): Promise<string> }> {
    const at = await openSshWorld({ mode: "proxy", ...options });
    world = at;
    await at.role("ops");
    const config = await writeSshConfig(at, await at.logIn("ana", ["ops"]), "");
    return { at, served: async () => (await ssh(config, "-o", "BindAddress=127.0.0.9", "web-1", "echo served")).stdout };
  }

  it("serves others while one address opens 10,000 connections and says nothing, in bounded memory", async () => {
    const { at, served } = await start({ limits: { handshakeTimeout: 60_000 } });
    expect(await served()).toBe("served\n");
    const before = process.memoryUsage().rss;
    let closed = 0;
    for (let wave = 0; wave < 20; wave += 1) {
      const opened = Array.from({ length: 500 }, () => open(wave % 2 === 0 ? at.port : at.webPort, "127.0.0.5"));
      await Promise.all(opened.map((socket) => once(socket, "connect").catch(() => undefined)));
      for (const socket of opened) socket.once("close", () => (closed += 1)).resume();
      for (const socket of opened) if (wave % 2 === 0) socket.write("SSH-2.0-slow\r\n");
      // What is over the limit is closed; the rest stays, as a real attacker's would.
      await expect.poll(() => opened.filter((socket) => !socket.destroyed).length).toBeLessThanOrEqual(500);
      sockets.push(...opened.filter((socket) => !socket.destroyed));
    }
    expect(at.proxy.connections).toBeLessThanOrEqual(256);
    expect(await served()).toBe("served\n");
    expect(process.memoryUsage().rss - before).toBeLessThan(300 * 1024 * 1024);
    expect(closed).toBeGreaterThan(4000);
  });

  it("closes the oldest when many addresses do", async () => {
    const { at, served } = await start({ limits: { halfOpen: 20, halfOpenPerAddress: 10, handshakeTimeout: 60_000 } });
    const first = open(at.port, "127.0.0.100");
    sockets.push(first);
    await once(first, "connect");
    for (let index = 0; index < 40; index += 1) {
      const socket = open(at.port, `127.0.1.${String(index)}`);
      sockets.push(socket);
      await once(socket, "connect");
    }
    await expect.poll(() => at.proxy.connections).toBe(20);
    await expect.poll(() => (first.resume(), first.destroyed)).toBe(true);
    expect(await served()).toBe("served\n");
  });

  const phases: Readonly<Record<string, (socket: Socket) => void>> = {
    "that say nothing": () => undefined,
    "that say their version byte by byte": (socket) => {
      const text = `SSH-2.0-${"x".repeat(240)}`;
      let at = 0;
      const timer = setInterval(() => (socket.destroyed || at >= text.length ? clearInterval(timer) : socket.write(text[at++] ?? "")), 200);
    },
    "that begin a packet and leave it": (socket) => socket.write(Buffer.concat([Buffer.from("SSH-2.0-slow\r\n"), Buffer.of(0, 0, 1, 0, 4, 20)])),
    "that send a packet byte by byte": (socket) => {
      socket.write("SSH-2.0-slow\r\n");
      const timer = setInterval(() => (socket.destroyed ? clearInterval(timer) : socket.write(Buffer.of(0))), 200);
    },
  };
  it.each(Object.entries(phases))("closes in time connections %s", async (_what, act) => {
    const { at, served } = await start({ limits: { handshakeTimeout: 5000, authTimeout: 5000 } });
    const slow = Array.from({ length: 20 }, () => open(at.port));
    sockets.push(...slow);
    await Promise.all(slow.map((socket) => once(socket, "connect")));
    for (const socket of slow) {
      socket.resume();
      act(socket);
    }
    expect(await served()).toBe("served\n");
    await expect.poll(() => slow.every((socket) => socket.destroyed)).toBe(true);
    await expect.poll(() => at.proxy.connections).toBe(0);
  });

  it("closes in time who exchanges keys and does not authenticate", async () => {
    const { at, served } = await start({ limits: { authTimeout: 5000 } });
    const socket = open(at.port);
    sockets.push(socket);
    let asked = false;
    const credentials = (): Promise<[]> => ((asked = true), new Promise(() => undefined));
    connectTransport({ socket, user: hostLogin, verifyHost: () => undefined, credentials }).catch(() => undefined);
    await expect.poll(() => asked).toBe(true);
    expect(await served()).toBe("served\n");
    await expect.poll(() => at.proxy.connections).toBe(0);
  });

  it("outlives random bytes", async () => {
    const { at, served } = await start({});
    for (let round = 0; round < 200; round += 1) {
      const socket = open(at.port);
      sockets.push(socket);
      await once(socket, "connect");
      const head = round % 3 === 0 ? "" : "SSH-2.0-random\r\n";
      socket.resume().end(Buffer.concat([Buffer.from(head), randomBytes(1 + (round * 97) % 5000)]));
    }
    await expect.poll(() => at.proxy.connections).toBe(0);
    expect(await served()).toBe("served\n");
  });

  describe("by somebody who is let in", () => {
    async function enter(options: Parameters<typeof openSshWorld>[0] = {}): Promise<{ at: SshWorld; transport: Transport; got: Buffer[]; ended: Promise<string>; served(): Promise<string>; enterAgain(onPayload?: (payload: Buffer) => void, onEnd?: () => void): Promise<Transport> }> {
      const { at, served } = await start(options);
      const person = await at.logIn("eve", ["ops"]);
      const connectAgain = (): Promise<Transport> => connectTransport({ socket: open(at.port), user: hostLogin, verifyHost: () => undefined, credentials: () => [{ method: "publickey", privateKey: person.privateKey, certificate: person.sshCertificate }] });
      const enterAgain = async (onPayload: (payload: Buffer) => void = () => undefined, onEnd: () => void = () => undefined): Promise<Transport> => {
        const another = await connectAgain();
        another.start({ onPayload, onEnd });
        return another;
      };
      const transport = await connectAgain();
      const got: Buffer[] = [];
      const ended = new Promise<string>((resolve) => {
        transport.start({ onPayload: (payload) => got.push(payload), onEnd: (end) => resolve(end.by === "loss" ? "loss" : end.text) });
      });
      return { at, transport, got, ended, served, enterAgain };
    }
    const openChannel = (sender: number, kind = "session", data: Buffer = Buffer.alloc(0), window = 1 << 20): Buffer => encodeSshMessage({ type: "channel_open", kind, sender, window, maxPacket: 32_768, data });

    it.each([
      ["a channel that is not open", encodeSshMessage({ type: "channel_data", channel: 7, data: Buffer.from("x") }), /a channel that is not open/],
      ["an answer to nothing", encodeSshMessage({ type: "channel_open_confirmation", channel: 0, sender: 0, window: 1, maxPacket: 1, data: Buffer.alloc(0) }), /to nothing/],
      ["a message that is cut off", Buffer.of(98, 0, 0), /SSH message/],
      ["a message of no number", Buffer.of(150), /SSH message|150/],
    ])("ends a connection for %s", async (_what, payload, reason) => {
      const { transport, ended } = await enter();
      transport.send(payload);
      expect(await ended).toMatch(reason);
    });

    it("ends one that sends more than a window", async () => {
      const { transport, got, ended } = await enter({ limits: { window: 64 * 1024 } });
      transport.send(openChannel(0));
      await expect.poll(() => got.some((payload) => payload[0] === 91)).toBe(true);
      // What nobody reads is held for a while: that much more than a window.
      for (let sent = 0; sent <= 400 * 1024; sent += 16 * 1024) transport.send(encodeSshMessage({ type: "channel_data", channel: 0, data: Buffer.alloc(16 * 1024) }));
      expect(await ended).toMatch(/more than its window/);
    });

    it("bounds channels, and what is asked for on them", async () => {
      const { transport, got, served } = await enter({ limits: { channels: 10 } });
      for (let index = 0; index < 15; index += 1) transport.send(openChannel(index));
      await expect.poll(() => got.length).toBe(15);
      expect([got.filter((payload) => payload[0] === 91).length, got.filter((payload) => payload[0] === 92).length]).toEqual([10, 5]);
      const variable = new SshWriter().string("NAME").string("value").toBuffer();
      for (let index = 0; index < 100; index += 1) transport.send(encodeSshMessage({ type: "channel_request", channel: 0, name: "env", wantReply: true, data: variable }));
      await expect.poll(() => got.length).toBe(115);
      expect([got.filter((payload) => payload[0] === 99).length, got.filter((payload) => payload[0] === 100).length]).toEqual([64, 36]);
      expect(await served()).toBe("served\n");
      transport.destroy();
    });

    describe("connections that lead to no host", () => {
      const forward = new SshWriter().string("web-1").uint32(22).string("127.0.0.1").uint32(1).toBuffer();

      it("are bounded for each person, who is told, and others are not kept out", async () => {
        const { at, served, transport, got, enterAgain } = await enter({ limits: { unusedPerPerson: 3 } });
        const others = [await enterAgain(), await enterAgain()];
        await expect(enterAgain()).rejects.toThrow();
        expect(at.last("auth")).toMatchObject({ user: "eve", success: false, rule: "limit", error: "3 connections of yours are open and lead to no host" });
        expect(await served()).toBe("served\n");
        // One that leads to a host leaves its place to another, until it leads nowhere again.
        transport.send(openChannel(0, "direct-tcpip", forward));
        await expect.poll(() => got.some((payload) => payload[0] === 91)).toBe(true);
        others.push(await enterAgain());
        await expect(enterAgain()).rejects.toThrow();
        transport.send(encodeSshMessage({ type: "channel_close", channel: 0 }));
        await expect.poll(() => got.some((payload) => payload[0] === 97)).toBe(true);
        for (const other of others.splice(0, 2)) other.destroy();
        await expect.poll(() => at.proxy.connections).toBe(2);
        others.push(await enterAgain());
        await expect(enterAgain()).rejects.toThrow();
      });

      it("end after a time, and are told; what leads to one stays", async () => {
        const { at, transport, got, ended, enterAgain } = await enter({ limits: { unusedTimeout: 900_000 } });
        let stays = true;
        const leading = await enterAgain((payload) => got.push(payload), () => (stays = false));
        leading.send(openChannel(0, "direct-tcpip", forward));
        await expect.poll(() => got.some((payload) => payload[0] === 91)).toBe(true);
        // That a channel is open is not enough.
        transport.send(openChannel(0));
        await expect.poll(() => got.filter((payload) => payload[0] === 91).length).toBe(2);
        at.ahead = 890_000;
        at.proxy.streams.recheck();
        await transport.ping();
        at.ahead = 901_000;
        at.proxy.streams.recheck();
        expect(await ended).toBe("access ended: the connection led to no host for 15 min, the longest time that is allowed");
        await leading.ping();
        leading.send(encodeSshMessage({ type: "channel_close", channel: 0 }));
        await expect.poll(() => got.some((payload) => payload[0] === 97)).toBe(true);
        at.proxy.streams.recheck();
        await leading.ping();
        expect(stays).toBe(true);
        at.ahead += 901_000;
        at.proxy.streams.recheck();
        await expect.poll(() => stays).toBe(false);
      });

      it("end as soon as an idle stream does, where that is sooner", async () => {
        const { at, ended } = await enter({ clientIdleTimeout: 600_000 });
        at.ahead = 601_000;
        at.proxy.streams.recheck();
        expect(await ended).toMatch(/led to no host for 10 min/);
      });
    });

    it("refuses other channels, and requests that it does not know", async () => {
      const { transport, got } = await enter();
      for (const kind of ["x11", "auth-agent@openssh.com", "tun@openssh.com", "direct-streamlocal@openssh.com", "forwarded-tcpip"]) transport.send(openChannel(0, kind));
      for (const name of ["tcpip-forward", "no-more-sessions@openssh.com", "x"]) transport.send(encodeSshMessage({ type: "global_request", name, wantReply: true, data: Buffer.alloc(0) }));
      await expect.poll(() => got.length).toBe(8);
      expect(got.map(([number]) => number).sort((a, b) => (a ?? 0) - (b ?? 0))).toEqual([82, 82, 82, 92, 92, 92, 92, 92]);
      for (const [name, answer] of [["keepalive@openssh.com", ""], ["recording-proxy@teleport.com", "true"]]) {
        transport.send(encodeSshMessage({ type: "global_request", name: name ?? "", wantReply: true, data: Buffer.alloc(0) }));
        await expect.poll(() => got.at(-1)?.toString("latin1")).toBe(`\x51${answer ?? ""}`);
      }
      transport.destroy();
    });
  });
});
