import { createPrivateKey, createPublicKey, generateKeyPairSync } from "node:crypto";
import { once } from "node:events";
import { connect, type ConnectionOptions, type TLSSocket } from "node:tls";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { adminServerName, kubeServerName } from "@gatehouse/core/api";
import type { Clock } from "@gatehouse/core/base";
import { clientHome, openLogins, profileName, parseProxyAddress, type LoginRecord } from "@gatehouse/core/client/lean";
import { buildCertificate, parseCertificate } from "@gatehouse/core/formats";
import { startClockedGateway, type ClockedGateway, type ClockedMachine } from "../support/clocked-gateway.ts";

/** TLS of the Kubernetes proxy and the shared port: who is let in, and for how long. The cluster behind is never reached: 502 means "let through". */
describe("TLS", () => {
  let skew = 0;
  const clock: Clock = { now: () => Date.now() + skew };
  let world: ClockedGateway;
  let ana: ClockedMachine;
  let login: LoginRecord;

  beforeAll(async () => {
    world = await startClockedGateway(clock);
    ana = await world.machine("ana");
    await ana.logIn(["--ttl=1h"]);
    const record = await openLogins(clientHome(ana.env), "file", ana.env).read(profileName(parseProxyAddress(world.proxy)));
    if (!record) throw new Error("no login was stored");
    login = record;
  });
  afterAll(() => world.close());

  const client = (): ConnectionOptions => ({ cert: login.tlsCertificate, key: login.privateKey, ca: [...login.hostCertificates] });

  async function open(address: string, options: ConnectionOptions): Promise<TLSSocket> {
    const { hostname, port } = new URL(`https://${address}`);
    const socket = connect({ host: hostname, port: Number(port), ...options });
    await once(socket, "secureConnect");
    return socket;
  }

  /** One request on an open connection: status and body of its answer, the last one that comes. */
  async function ask(socket: TLSSocket, path = "/api/v1/pods"): Promise<{ status: number; body: string }> {
    socket.write(`GET ${path} HTTP/1.1\r\nHost: gateway\r\nConnection: close\r\n\r\n`);
    let text = "";
    for await (const chunk of socket.setEncoding("utf8")) text += String(chunk);
    const last = text.lastIndexOf("HTTP/1.1 ");
    return { status: Number(text.slice(last + 9, last + 12)), body: text.slice(text.indexOf("\r\n\r\n", last) + 4) };
  }

  const kubeName = kubeServerName("example");
  const kubeAddress = (): string => world.gateway.addresses.kube ?? "";

  it.each(["its own port", "the web port"])("a valid certificate is let through on %s", async (where) => {
    const socket = await open(where === "the web port" ? world.proxy : kubeAddress(), { ...client(), servername: kubeName });
    const { status, body } = await ask(socket);
    expect([502, 504]).toContain(status);
    expect(JSON.parse(body)).toMatchObject({ kind: "Status" });
  });

  it("no certificate is a 401 Status that says what to do", async () => {
    const { status, body } = await ask(await open(kubeAddress(), { ca: [...login.hostCertificates], servername: kubeName }));
    expect(status).toBe(401);
    expect(JSON.parse(body)).toMatchObject({ kind: "Status", status: "Failure", reason: "Unauthorized", code: 401 });
  });

  it("a certificate for the same name from another authority, with the same issuer, is refused", async () => {
    const key = createPrivateKey(login.privateKey);
    const validity = { notBefore: Date.now() - 60_000, notAfter: Date.now() + 3_600_000 };
    const { issuer } = parseCertificate(login.tlsCertificate);
    const authority = generateKeyPairSync("ec", { namedCurve: "P-256" });
    const impostor = buildCertificate({ subject: issuer, publicKey: authority.publicKey, serial: 7n, ...validity, ca: {}, keyUsage: ["keyCertSign"] }, { privateKey: authority.privateKey });
    const forged = buildCertificate(
      { subject: { CN: ["ana"], O: ["admin"] }, publicKey: createPublicKey(key), serial: 8n, ...validity, keyUsage: ["digitalSignature"], extendedKeyUsage: ["clientAuth"] },
      { privateKey: authority.privateKey, certificate: parseCertificate(impostor) },
    );
    const { status, body } = await ask(await open(kubeAddress(), { ...client(), cert: forged, servername: kubeName }));
    expect([401, 403]).toContain(status);
    expect(JSON.parse(body)).toMatchObject({ kind: "Status" });
  });

  it("the web port tells its servers apart by name, and none takes another's session", async () => {
    const web = await open(world.proxy, { ca: [...login.hostCertificates], servername: "localhost" });
    expect((await ask(web, "/webapi/ping")).status).toBe(200);
    const admin = await open(world.proxy, { ...client(), servername: adminServerName("example") });
    const session = await new Promise<Buffer>((resolve) => {
      admin.once("session", resolve);
      admin.write("GET /gatehouse/v1/whoami HTTP/1.1\r\nHost: gateway\r\n\r\n");
    });
    admin.destroy();
    const elsewhere = await open(world.proxy, { ca: [...login.hostCertificates], servername: kubeName, session });
    expect(elsewhere.isSessionReused()).toBe(false);
    expect((await ask(elsewhere)).status).toBe(401);
  });

  it("a resumed session and an open connection are refused once the certificate has ended", async () => {
    const first = await open(kubeAddress(), { ...client(), servername: kubeName });
    const session = await new Promise<Buffer>((resolve) => {
      first.once("session", resolve);
      first.write("GET /api/v1/pods HTTP/1.1\r\nHost: gateway\r\n\r\n");
    });
    const resumed = await open(kubeAddress(), { ...client(), servername: kubeName, session });
    expect(resumed.isSessionReused()).toBe(true);
    expect([502, 504]).toContain((await ask(resumed)).status);

    skew = 2 * 3_600_000;
    try {
      const late = await open(kubeAddress(), { ...client(), servername: kubeName, session });
      expect(late.isSessionReused()).toBe(true);
      const { status, body } = await ask(late);
      expect(status).toBe(401);
      expect(body).toMatch(/ended|expired/);
      expect((await ask(first)).status).toBe(401);
    } finally {
      skew = 0;
      first.destroy();
    }
  });

  it("a certificate from the future is refused, and says so", async () => {
    skew = -24 * 3_600_000;
    try {
      const { status, body } = await ask(await open(kubeAddress(), { ...client(), servername: kubeName }));
      expect([401, 403]).toContain(status);
      expect(body).toMatch(/not valid (yet|before)/);
    } finally {
      skew = 0;
    }
  });
});
