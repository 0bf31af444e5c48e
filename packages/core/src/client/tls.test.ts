import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer as createTcpServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { spkiPin } from "../formats/index.ts";
import { clientHome, parseProxyAddress } from "./lean/index.ts";
import { unreachable } from "./network-errors.ts";
import type { Prompter } from "./terminal/index.ts";
import { newAuthority, newUserKey, serverPair, startTlsServer, userPair, type TestServer } from "./testing.ts";
import { createTlsTransport } from "./transport.ts";
import { parsePin, settleTrust, type GatewayTrust, type TrustOptions } from "./trust.ts";

const authority = newAuthority();
const other = newAuthority("other");
let folder: string;
let server: TestServer;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "gatehouse-tls-"));
  server = await startTlsServer(serverPair(authority), [authority.certificate]);
});
afterEach(async () => {
  await server.close();
  await rm(folder, { recursive: true, force: true });
});

const answers = (yes: boolean): Prompter => ({ confirm: () => Promise.resolve(yes), password: () => Promise.reject(new Error("asked")), ask: () => Promise.reject(new Error("asked")) });

function settle(options: Partial<TrustOptions> = {}): Promise<GatewayTrust> {
  return settleTrust({ address: server.address, home: clientHome({ TELEPORT_HOME: folder }), profile: "gw", env: {}, pin: undefined, prompter: undefined, notice: () => undefined, ...options });
}

describe("a gateway that is met for the first time", () => {
  it("is taken where the machine's authorities vouch for it", async () => {
    const bundle = join(folder, "extra.pem");
    await writeFile(bundle, authority.certificate);
    for (const env of [{ NODE_EXTRA_CA_CERTS: bundle }, { SSL_CERT_FILE: bundle }]) expect(await settle({ env })).toMatchObject({ pinnedCa: undefined, pin: undefined });
  });

  it("is refused without a terminal and a pin, and nothing was sent to it", async () => {
    await expect(settle()).rejects.toMatchObject({ code: "unavailable", message: expect.stringContaining("nothing was sent to it") as string, hint: expect.stringContaining("--ca-pin") as string });
    expect(server.requests).toEqual([]);
  });

  it("is taken with the pin of the authority that it shows, and with no other", async () => {
    const trust = await settle({ pin: spkiPin(authority.certificate) });
    expect(trust.pin).toBe(spkiPin(authority.certificate));
    const transport = createTlsTransport({ address: server.address, authorities: trust.authorities });
    expect((await transport.request({ method: "GET", path: "/x" })).status).toBe(200);
    await expect(settle({ pin: spkiPin(other.certificate) })).rejects.toThrow(/does not have the pin/);
    expect(server.requests).toEqual(["GET /x"]);
  });

  it("has to have the pin even where the machine's authorities vouch for it, and is then believed for the pin alone", async () => {
    const bundle = join(folder, "extra.pem");
    await writeFile(bundle, authority.certificate + other.certificate);
    const env = { SSL_CERT_FILE: bundle };
    await expect(settle({ env, pin: spkiPin(other.certificate) })).rejects.toThrow(/does not have the pin/);
    expect((await settle({ env, pin: spkiPin(authority.certificate) })).authorities).toEqual([authority.certificate]);
    expect(server.requests).toEqual([]);
  });

  it("that shows a pinned authority which did not sign its certificate is refused", async () => {
    const liar = await startTlsServer(serverPair(other), [authority.certificate]);
    try {
      await expect(settle({ address: liar.address, pin: spkiPin(authority.certificate) })).rejects.toMatchObject({ code: "unavailable" });
      expect(liar.requests).toEqual([]);
    } finally {
      await liar.close();
    }
  });

  it("is asked about on a terminal, with the pin shown", async () => {
    let shown = "";
    const trust = await settle({ prompter: answers(true), notice: (text) => (shown += text) });
    expect(shown).toContain(spkiPin(authority.certificate));
    expect(trust.pinnedCa).toBe(authority.certificate);
    await expect(settle({ prompter: answers(false) })).rejects.toThrow(/was not trusted/);
  });

  it("whose certificate is for another name, or has ended, is refused whatever the pin", async () => {
    for (const content of [{ ipAddresses: ["127.0.0.2"], dnsNames: [] }, { notAfter: Date.now() - 1000 }]) {
      const wrong = await startTlsServer(serverPair(authority, content), [authority.certificate]);
      try {
        await expect(settle({ address: wrong.address, pin: spkiPin(authority.certificate), prompter: answers(true) })).rejects.toThrow(/another name|has expired/);
        expect(wrong.requests).toEqual([]);
      } finally {
        await wrong.close();
      }
    }
  });
});

describe("a gateway that was pinned before", () => {
  it("is taken without a question, and refused when it has changed, with both pins in the error", async () => {
    await writeFile(join(folder, "gw.ca.pem"), authority.certificate);
    expect((await settle()).pinnedCa).toBe(authority.certificate);
    await writeFile(join(folder, "gw.ca.pem"), other.certificate);
    const refused = settle({ prompter: answers(true) });
    await expect(refused).rejects.toThrow(spkiPin(other.certificate));
    await expect(refused).rejects.toMatchObject({ hint: expect.stringContaining(spkiPin(authority.certificate)) as string });
    expect((await settle({ pin: spkiPin(authority.certificate) })).pinnedCa).toBe(authority.certificate);
    expect(server.requests).toEqual([]);
  });

  it("is refused where only the machine's own authorities vouch for it: they could vouch for anybody", async () => {
    await writeFile(join(folder, "gw.ca.pem"), other.certificate);
    const bundle = join(folder, "extra.pem");
    await writeFile(bundle, authority.certificate);
    await expect(settle({ env: { SSL_CERT_FILE: bundle } })).rejects.toThrow(/is not the one that this machine is pinned to/);
  });
});

it("a pin is sha256 and 64 hex digits", () => {
  expect(parsePin(` SHA256:${"AB".repeat(32)} `)).toBe(`sha256:${"ab".repeat(32)}`);
  for (const bad of ["", "sha256:", `sha256:${"a".repeat(63)}`, `sha1:${"a".repeat(64)}`]) expect(() => parsePin(bad)).toThrow(/is not a pin/);
});

describe("the transport", () => {
  it("says what keeps it from the gateway", async () => {
    const plain = createTcpServer((socket) => socket.on("error", () => undefined).resume().end("HTTP/1.1 400 Bad Request\r\n\r\n"));
    await new Promise<void>((resolve) => plain.listen(0, "127.0.0.1", resolve));
    const { port } = plain.address() as AddressInfo;
    const ask = (address: string, authorities: readonly string[] = [authority.certificate]) => createTlsTransport({ address: parseProxyAddress(address), authorities }).request({ method: "GET", path: "/" });
    await expect(ask(`127.0.0.1:${port}`)).rejects.toMatchObject({ code: "unavailable", message: expect.stringContaining("does not speak TLS") as string });
    await new Promise((resolve) => plain.close(resolve));
    await expect(ask(`127.0.0.1:${port}`)).rejects.toThrow(/the connection was refused/);
    expect(unreachable("gw:1", Object.assign(new Error("getaddrinfo"), { code: "ENOTFOUND" })).message).toMatch(/the name cannot be resolved/);
    await expect(ask(server.address.text, [other.certificate])).rejects.toThrow(/no authority known here vouches/);
  });

  it("bounds the answer in size and time", async () => {
    const big = await startTlsServer(serverPair(authority), [], {}, (_request, response) => response.end("x".repeat(2 * 1024 * 1024)));
    const slow = await startTlsServer(serverPair(authority), [], {}, () => undefined);
    const drip = await startTlsServer(serverPair(authority), [], {}, (_request, response) => void response.write("x"));
    const transport = (address: typeof big.address, timeout?: number) => createTlsTransport({ address, authorities: [authority.certificate], timeout });
    try {
      await expect(transport(big.address).request({ method: "GET", path: "/" })).rejects.toMatchObject({ code: "limit_exceeded" });
      for (const hung of [slow, drip]) await expect(transport(hung.address, 200).request({ method: "GET", path: "/" })).rejects.toThrow(/did not answer within 0.2 s/);
    } finally {
      await Promise.all([big.close(), slow.close(), drip.close()]);
    }
  });

  it("shows the login's certificate, asks for a server by name, and hears the gateway's clock", async () => {
    const user = userPair(newAuthority("user"), newUserKey().privateKey);
    let seen: unknown;
    let clock = 0;
    const named = await startTlsServer(serverPair(authority, { dnsNames: ["6578.teleport.cluster.local"], ipAddresses: [] }), [], { requestCert: true, rejectUnauthorized: false }, (request, response) => {
      const socket = request.socket as unknown as { servername: string; getPeerCertificate(): { subject: { CN: string } } };
      seen = [socket.servername, socket.getPeerCertificate().subject.CN];
      response.end('{"ok":true}');
    });
    try {
      const transport = createTlsTransport({ address: named.address, authorities: [authority.certificate], serverName: "6578.teleport.cluster.local", identity: { certificate: user.certificate, key: user.pem }, onDate: (date) => (clock = date) });
      expect(await transport.request({ method: "POST", path: "/", body: { a: 1 } })).toEqual({ status: 200, body: '{"ok":true}' });
      expect(seen).toEqual(["6578.teleport.cluster.local", "ana"]);
      expect(Math.abs(clock - Date.now())).toBeLessThan(5000);
    } finally {
      await named.close();
    }
  });
});
