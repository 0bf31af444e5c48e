import { generateKeyPairSync } from "node:crypto";
import { once } from "node:events";
import type { IncomingMessage } from "node:http";
import { request } from "node:https";
import { connect as connectTcp, createServer } from "node:net";
import type { AddressInfo, Socket } from "node:net";
import { TLSSocket, connect as connectTls } from "node:tls";
import type { ConnectionOptions } from "node:tls";
import { afterEach, describe, expect, it } from "vitest";
import { GatehouseError, nullLogger } from "../../base/index.ts";
import { buildCertificate } from "../../formats/index.ts";
import { createFrontListener, createPurposeServer } from "./index.ts";
import type { ConnectionHello, FrontLimits, PurposeServer, PurposeServerOptions } from "./index.ts";

function certificate(name: string): { readonly key: string; readonly cert: string } {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const validity = { notBefore: Date.now() - 60_000, notAfter: Date.now() + 3_600_000 };
  const cert = buildCertificate({ serial: BigInt(Date.now()), subject: { CN: [name] }, ...validity, publicKey, keyUsage: ["digitalSignature"] }, { privateKey });
  return { key: privateKey.export({ type: "pkcs8", format: "pem" }).toString(), cert };
}

const tls = { web: certificate("web"), kube: certificate("kube"), other: certificate("other") };
const local = { host: "127.0.0.1", port: 0 };
const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

function server(name: "web" | "kube", options: Partial<PurposeServerOptions> = {}): PurposeServer {
  const made = createPurposeServer({
    name,
    tls: tls[name],
    logger: nullLogger,
    onRequest: (_, response) => response.end(name),
    ...options,
  });
  cleanups.push(() => made.close({ drainMs: 0 }));
  return made;
}

async function front(route: (hello: ConnectionHello) => PurposeServer | undefined, limits: Partial<FrontLimits> = {}) {
  const listener = createFrontListener({ name: "front", route, logger: nullLogger, limits });
  cleanups.push(() => listener.close());
  const { port } = await listener.listen(local);
  return { listener, port };
}

async function secure(port: number, options: ConnectionOptions = {}): Promise<TLSSocket> {
  const socket = connectTls({ host: "127.0.0.1", port, rejectUnauthorized: false, ...options });
  cleanups.push(() => socket.destroy());
  await once(socket, "secureConnect");
  socket.on("error", () => undefined);
  return socket;
}

async function plain(port: number): Promise<Socket> {
  const socket = connectTcp({ host: "127.0.0.1", port });
  cleanups.push(() => socket.destroy());
  await once(socket, "connect");
  socket.on("error", () => undefined);
  return socket;
}

/** Everything the peer sends until it closes. */
async function readToEnd(socket: Socket): Promise<Buffer> {
  const chunks: Buffer[] = [];
  socket.on("data", (chunk: Buffer) => chunks.push(chunk));
  if (!socket.closed) await once(socket, "close");
  return Buffer.concat(chunks);
}

async function get(port: number, options: ConnectionOptions & { readonly path?: string } = {}): Promise<{ status: number; body: string }> {
  const [response] = (await once(request({ host: "127.0.0.1", port, rejectUnauthorized: false, agent: false, ...options }).end(), "response")) as [IncomingMessage];
  let body = "";
  for await (const chunk of response) body += String(chunk);
  return { status: response.statusCode ?? 0, body };
}

describe("front listener", () => {
  it("chooses by server name and ALPN, with the certificate of each purpose", async () => {
    const [web, kube] = [server("web"), server("kube")];
    const seen: ConnectionHello[] = [];
    const { port } = await front((hello) => {
      seen.push(hello);
      return hello.serverName?.endsWith(".kube.test") ? kube : web;
    });
    expect(await get(port, { servername: "k61.kube.test" })).toEqual({ status: 200, body: "kube" });
    expect(await get(port, { servername: "gateway.test" })).toEqual({ status: 200, body: "web" });
    expect((await secure(port, { servername: "k61.kube.test" })).getPeerCertificate().subject.CN).toBe("kube");
    expect((await secure(port)).getPeerCertificate().subject.CN).toBe("web");
    expect(seen[0]).toMatchObject({ serverName: "k61.kube.test" });
    expect(seen[0]?.remoteAddress).toMatch(/^127\.0\.0\.1:\d+$/);
  });

  it("takes a ClientHello byte by byte", async () => {
    const web = server("web");
    const { port } = await front(() => web);
    const slow = await plain(port);
    // The relay turns whole writes of the TLS client into writes of one byte.
    const relay = createServer((client) => {
      client.on("data", (chunk: Buffer) => {
        for (const byte of chunk) slow.write(Buffer.from([byte]));
      });
      slow.on("data", (chunk: Buffer) => client.write(chunk));
      client.on("error", () => undefined);
    });
    cleanups.push(() => relay.close());
    await new Promise<void>((resolve) => relay.listen(0, "127.0.0.1", resolve));
    slow.setNoDelay(true);
    expect(await get((relay.address() as AddressInfo).port, { servername: "gateway.test" })).toEqual({ status: 200, body: "web" });
  });

  it("refuses a name that no server has with an alert, and plain HTTP with words", async () => {
    const { port } = await front(() => undefined);
    const refused = connectTls({ host: "127.0.0.1", port, servername: "nobody.test" });
    cleanups.push(() => refused.destroy());
    const [error] = (await once(refused, "error")) as [Error];
    expect(error.message).toMatch(/unrecognized.name/i);
    const http = await plain(port);
    http.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    expect((await readToEnd(http)).toString()).toMatch(/^HTTP\/1.1 400 [^]*https:/);
  });

  it("outlives those who leave under their refusal or their handshake", async () => {
    const catcher = createServer();
    cleanups.push(() => catcher.close());
    await new Promise<void>((resolve) => catcher.listen(0, "127.0.0.1", resolve));
    const caught = once(catcher, "connection") as Promise<[Socket]>;
    const asking = connectTls({ host: "127.0.0.1", port: (catcher.address() as AddressInfo).port, servername: "nobody.test" });
    asking.on("error", () => undefined);
    const [relay] = await caught;
    const [hello] = (await once(relay, "data")) as [Buffer];
    asking.destroy();
    relay.destroy();
    const web = server("web");
    let routed = 0;
    const { port, listener } = await front(() => (++routed % 2 === 0 ? web : undefined));
    // An error that nobody listens to would fail this file.
    for (let round = 0; round < 20; round++) {
      const leaving = await plain(port);
      await new Promise((resolve) => leaving.write(hello, resolve));
      leaving.resetAndDestroy();
    }
    await expect.poll(() => routed).toBe(20);
    await expect.poll(() => listener.halfOpen + web.connections).toBe(0);
  });

  it("drops what is not TLS, what is too large, what is too slow, and what leaves", async () => {
    const web = server("web");
    const { port, listener } = await front(() => web, { helloTimeout: 300 });
    const garbage = await plain(port);
    garbage.write(Buffer.alloc(64, 0xff));
    expect((await readToEnd(garbage)).length).toBe(0);
    const endless = await plain(port);
    endless.write(Buffer.concat([Buffer.from([0x16, 3, 1, 0x40, 0, 1, 0, 0xff, 0xff]), Buffer.alloc(20_000)]));
    expect((await readToEnd(endless)).length).toBe(0);
    const slow = await plain(port);
    slow.write(Buffer.from([0x16, 3]));
    expect((await readToEnd(slow)).length).toBe(0);
    const leaving = await plain(port);
    leaving.end();
    await readToEnd(leaving);
    await expect.poll(() => listener.halfOpen).toBe(0);
    expect(web.connections).toBe(0);
  });

  it("lets no crowd of silent connections keep others out", async () => {
    const web = server("web");
    const { port, listener } = await front(() => web, { halfOpen: 5, helloTimeout: 60_000 });
    const silent = await Promise.all(Array.from({ length: 20 }, () => plain(port)));
    const closed = silent.map((socket) => once(socket, "close"));
    expect((await get(port)).status).toBe(200);
    await Promise.race(closed);
    await expect.poll(() => silent.filter((socket) => !socket.closed).length).toBeLessThanOrEqual(5);
    expect(listener.halfOpen).toBeLessThanOrEqual(5);
  });

  it("frees its port at once although a connection it handed on is open", async () => {
    const web = server("web");
    const { port, listener } = await front(() => web);
    await secure(port);
    listener.close();
    const { port: again } = await createFrontListenerAt(port, web);
    expect(again).toBe(port);
  });

  async function createFrontListenerAt(port: number, web: PurposeServer): Promise<AddressInfo> {
    const listener = createFrontListener({ name: "front", route: () => web, logger: nullLogger });
    cleanups.push(() => listener.close());
    return listener.listen({ host: "127.0.0.1", port });
  }

  it("says which address is taken", async () => {
    const web = server("web");
    const { port } = await front(() => web);
    await expect(createFrontListenerAt(port, web)).rejects.toThrow(`front cannot listen on 127.0.0.1:${port}: another process listens there`);
    await expect(web.listen({ host: "192.0.2.1", port: 0 })).rejects.toMatchObject({ code: "unavailable", hint: /address of this machine/ });
  });
});

describe("purpose server", () => {
  it("speaks HTTP/1.1 alone, and TLS 1.2 or later", async () => {
    const { port } = await server("web").listen(local);
    expect((await secure(port, { ALPNProtocols: ["h2", "http/1.1"] })).alpnProtocol).toBe("http/1.1");
    expect((await secure(port, { minVersion: "TLSv1.2", maxVersion: "TLSv1.2" })).getProtocol()).toBe("TLSv1.2");
    await expect(secure(port, { ALPNProtocols: ["h2"] })).rejects.toThrow(/no application protocol/i);
    await expect(secure(port, { minVersion: "TLSv1.1", maxVersion: "TLSv1.1", ciphers: "DEFAULT@SECLEVEL=0" })).rejects.toThrow();
  });

  it.each(["TLSv1.2", "TLSv1.3"] as const)("resumes its own %s sessions, and no session of another purpose or of an older certificate", async (version) => {
    const [web, kube] = [server("web", { tls: { ...tls.web, clientAuthorities: [tls.other.cert] } }), server("kube", { tls: { ...tls.web, clientAuthorities: [tls.other.cert] } })];
    const [webPort, kubePort] = [(await web.listen(local)).port, (await kube.listen(local)).port];
    const base = { minVersion: version, maxVersion: version, ...tls.other };
    const first = connectTls({ host: "127.0.0.1", port: webPort, rejectUnauthorized: false, ...base });
    cleanups.push(() => first.destroy());
    const [session] = (await once(first, "session")) as [Buffer];
    expect((await secure(webPort, { ...base, session })).isSessionReused()).toBe(true);
    expect((await secure(kubePort, { ...base, session })).isSessionReused()).toBe(false);
    web.setTls({ ...tls.web, clientAuthorities: [tls.other.cert] });
    expect((await secure(webPort, { ...base, session })).isSessionReused()).toBe(false);
  });

  it("takes a new certificate for new connections, and keeps the old one when the new is useless", async () => {
    const web = server("web");
    const { port } = await web.listen(local);
    const open = await secure(port);
    web.setTls(tls.other);
    expect((await secure(port)).getPeerCertificate().subject.CN).toBe("other");
    expect(open.destroyed).toBe(false);
    expect(() => web.setTls({ key: tls.web.key, cert: tls.other.cert })).toThrow(GatehouseError);
    expect((await get(port)).status).toBe(200);
    expect(() => server("web", { tls: { key: "no", cert: "no" } })).toThrow(/TLS of web cannot be set up/);
  });

  it("lets the request handler judge client certificates", async () => {
    const kube = server("kube", {
      tls: { ...tls.kube, clientAuthorities: [tls.kube.cert] },
      onRequest: (incoming, response) => {
        if (!(incoming.socket instanceof TLSSocket)) throw new Error("not TLS");
        response.end(incoming.socket.getPeerX509Certificate()?.subject ?? "none");
      },
    });
    const { port } = await kube.listen(local);
    expect((await get(port, tls.other)).body).toBe("CN=other");
    expect((await get(port)).body).toBe("none");
  });

  it("answers what it cannot read in the words of its purpose", async () => {
    const kube = server("kube", {
      limits: { headerSize: 8192, headersTimeout: 2000 },
      onUpgrade: (_, socket) => socket.end("HTTP/1.1 101 Switching Protocols\r\n\r\n"),
      errorAnswer: (status, message) => ({ contentType: "application/json", body: JSON.stringify({ status, message }) }),
    });
    const { port } = await front(() => kube);
    const answers: Record<string, string> = {
      hostless: "GET / HTTP/1.1\r\n\r\n",
      ancient: "GET /\r\n\r\n",
      many: `GET / HTTP/1.1\r\nHost: x\r\n${"A: b\r\n".repeat(300)}\r\n`,
      manyUpgrading: `GET / HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: x\r\n${"A: b\r\n".repeat(300)}\r\n`,
      garbage: "\0\0\0\r\n\r\n",
      folded: "GET / HTTP/1.1\r\nHost: x\r\nA: b\r\n c\r\n\r\n",
      smuggled: "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
      large: `GET /?${"x".repeat(9000)} HTTP/1.1\r\nHost: x\r\n\r\n`,
      slow: "GET / HTTP/1.1\r\nHost: x\r\n",
    };
    const found: Record<string, number> = {};
    for (const [name, bytes] of Object.entries(answers)) {
      const socket = await secure(port);
      socket.write(bytes);
      const text = (await readToEnd(socket)).toString();
      found[name] = Number(/^HTTP\/1.1 (\d+)/.exec(text)?.[1]);
      expect(text).toContain("content-type: application/json");
    }
    expect(found).toEqual({ hostless: 400, ancient: 400, many: 431, manyUpgrading: 431, garbage: 400, folded: 400, smuggled: 400, large: 431, slow: 408 });
  });

  it("refuses in turn, behind requests that are still being answered", async () => {
    const web = server("web", { onRequest: (_, response) => setTimeout(() => response.end("first"), 50) });
    const { port } = await web.listen(local);
    const socket = await secure(port);
    socket.write("GET / HTTP/1.1\r\nHost: x\r\n\r\nGET / HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n");
    const text = (await readToEnd(socket)).toString();
    expect(text.match(/HTTP\/1\.1 \d+/g)).toEqual(["HTTP/1.1 200", "HTTP/1.1 400"]);
  });

  it("does not write into an answer under way", async () => {
    const web = server("web", {
      onRequest: (incoming, response) => {
        response.writeHead(200, { "content-length": "100" });
        response.write("half");
        incoming.resume();
      },
    });
    const { port } = await web.listen(local);
    const socket = await secure(port);
    const text = readToEnd(socket);
    socket.write("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n");
    await once(socket, "data");
    socket.write("not a chunk\r\n");
    expect((await text).toString()).not.toContain("400");
  });

  it("closes silent and surplus connections", async () => {
    const web = server("web", { limits: { handshakeTimeout: 2000, handshakes: 3, connections: 6 } });
    const { port } = await web.listen(local);
    const silent = await Promise.all(Array.from({ length: 8 }, () => plain(port)));
    expect((await get(port)).status).toBe(200);
    for (const socket of silent) if (!socket.closed) await once(socket, "close");
    const open: TLSSocket[] = [];
    while (open.length < 6) open.push(await secure(port));
    expect(web.connections).toBe(6);
    await expect(secure(port)).rejects.toThrow();
    open[0]?.destroy();
    await expect.poll(() => web.connections).toBe(5);
    expect((await get(port)).status).toBe(200);
  });

  it("hands upgrades over, and survives their reset", async () => {
    const upgraded: TLSSocket[] = [];
    const web = server("web", {
      onUpgrade: (incoming, socket, head) => {
        upgraded.push(socket);
        socket.write(`HTTP/1.1 101 Switching Protocols\r\nUpgrade: ${incoming.headers.upgrade ?? ""}\r\nConnection: Upgrade\r\n\r\n${head.toString()}`);
        socket.pipe(socket);
      },
    });
    const { port } = await front(() => web);
    const socket = await secure(port);
    socket.write("GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\nearly");
    let text = "";
    socket.on("data", (chunk: Buffer) => (text += chunk.toString()));
    await expect.poll(() => text).toMatch(/early$/);
    socket.write(" late");
    await expect.poll(() => text).toMatch(/early late$/);
    upgraded[0]?.destroy(new Error("reset"));
    await once(socket, "close");
    await expect.poll(() => web.connections).toBe(0);
    expect((await get(port)).status).toBe(200);
  });

  it("drains: requests finish, idle connections go, what lasts is cut", async () => {
    const answers = new Map<string | undefined, () => void>();
    const web = server("web", { onRequest: (incoming, response) => answers.set(incoming.url, () => response.end(incoming.url)) });
    const { port } = await web.listen(local);
    const idle = await secure(port);
    const idleClosed = once(idle, "close");
    const finishing = get(port, { path: "/finishing" });
    const lasting = get(port, { path: "/lasting" }).catch((error: unknown) => error);
    await expect.poll(() => answers.size).toBe(2);
    const closed = web.close({ drainMs: 1000 });
    await idleClosed;
    await expect(secure(port)).rejects.toThrow();
    answers.get("/finishing")?.();
    expect((await finishing).body).toBe("/finishing");
    await closed;
    expect(await lasting).toBeInstanceOf(Error);
    await expect.poll(() => web.connections).toBe(0);
  });
});
