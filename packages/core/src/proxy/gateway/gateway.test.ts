import { generateKeyPairSync } from "node:crypto";
import { chmod, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { adminServerName, kubeServerName, sshServerName } from "../../api/index.ts";
import { manualClock, nullLogger, systemRandom, type Logger } from "../../base/index.ts";
import { openAuthorities, type Authorities } from "../../ca/index.ts";
import { hostFacts, loadConfig, type GatewayConfig } from "../../config/index.ts";
import { buildCertificate, parseCertificate } from "../../formats/index.ts";
import { openStore, type Store } from "../../store/index.ts";
import type { KubeProxy, UpstreamCheck } from "../kube/index.ts";
import type { PurposeServer } from "../listener/index.ts";
import { formatAddress, publicAddress } from "./addresses.ts";
import { openCertificates } from "./certificates.ts";
import { createCleanup } from "./cleanup.ts";
import { openDataDir } from "./data-dir.ts";
import { hostNames } from "./host-certificate.ts";
import { readHostId } from "./host-id.ts";
import { describeCheck, watchKubeHealth } from "./kube-health.ts";
import { routeOf } from "./servers.ts";

const day = 24 * 3_600_000;

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "gateway-parts-"));
});
afterEach(async () => {
  vi.useRealTimers();
  await rm(folder, { recursive: true, force: true });
});

function configOf(yaml = ""): GatewayConfig {
  return loadConfig(yaml, "teleport.yaml", { ...hostFacts(), env: {}, hostname: "gw-1" });
}

/** A log that is kept. */
function keptLog(): { readonly logger: Logger; readonly messages: string[] } {
  const messages: string[] = [];
  const keep = (_fields: unknown, message: string): void => {
    messages.push(message);
  };
  return { logger: { debug: keep, info: keep, warn: keep, error: keep }, messages };
}

/** A self-signed pair in PEM. */
function selfSigned(dnsName: string, notAfter = Date.now() + 365 * day): { readonly key: string; readonly cert: string } {
  const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "prime256v1" });
  const cert = buildCertificate(
    { serial: 7n, subject: { CN: [dnsName] }, notBefore: Date.now() - 400 * day, notAfter, publicKey, keyUsage: ["digitalSignature"], extendedKeyUsage: ["serverAuth"], dnsNames: [dnsName] },
    { privateKey },
  );
  return { key: privateKey.export({ type: "pkcs8", format: "pem" }).toString(), cert };
}

describe("addresses", () => {
  it("are told as people can dial them", () => {
    expect(formatAddress("::1", 3080)).toBe("[::1]:3080");
    const bound = { host: "0.0.0.0", port: 4444 };
    expect(publicAddress([], bound, "gw-1")).toEqual({ host: "gw-1", port: 4444 });
    expect(publicAddress([], { host: "::", port: 1 }, "gw-1")).toEqual({ host: "gw-1", port: 1 });
    expect(publicAddress([], { host: "10.0.0.7", port: 1 }, "gw-1")).toEqual({ host: "10.0.0.7", port: 1 });
    expect(publicAddress([{ host: "gw.example.com", port: 443 }, { host: "b", port: 2 }], bound, "gw-1")).toEqual({ host: "gw.example.com", port: 443 });
  });

  it("are all in the host certificate", () => {
    const config = configOf("proxy_service: {public_addr: ['gw.example.com:443', '192.0.2.1:443'], kubernetes: {enabled: yes, public_addr: k.example.com, kubeconfig_file: /x}}");
    const { dnsNames, ipAddresses } = hostNames(config, "example");
    expect(dnsNames).toEqual(expect.arrayContaining(["gw-1", "localhost", "gw.example.com", "k.example.com", "*.kube.teleport.cluster.local", adminServerName("example")]));
    expect(ipAddresses).toEqual(expect.arrayContaining(["127.0.0.1", "::1", "192.0.2.1"]));
    expect(dnsNames).not.toContain("192.0.2.1");
  });
});

describe("the data directory", () => {
  it("is made for its owner alone, and is one gateway's at a time", async () => {
    const path = join(folder, "a/b");
    const first = await openDataDir(path);
    await expect(openDataDir(path)).rejects.toMatchObject({ code: "already_exists", message: expect.stringContaining(`process ${String(process.pid)}`) as string });
    await first.release();
    await (await openDataDir(path)).release();
  });

  it("is refused where others may enter it, and where it is a file", async () => {
    const open = join(folder, "open");
    await mkdir(open);
    await chmod(open, 0o750);
    await expect(openDataDir(open)).rejects.toMatchObject({ code: "access_denied", hint: `chmod 700 ${open}` });
    await writeFile(join(folder, "file"), "");
    await expect(openDataDir(join(folder, "file"))).rejects.toThrow("is not a directory");
    // Where the system answers ENOENT to every mkdir, and to nothing else.
    if (process.platform === "linux") await expect(openDataDir("/proc/x/y")).rejects.toMatchObject({ code: "unavailable" });
  });

  it("keeps the gateway's id, and does not go on with a broken one", async () => {
    const id = await readHostId(folder);
    expect(await readHostId(folder)).toBe(id);
    await writeFile(join(folder, "host_uuid"), "../../etc");
    await expect(readHostId(folder)).rejects.toMatchObject({ code: "bad_parameter" });
  });
});

describe("certificates", () => {
  const clock = manualClock(Date.now());
  let store: Store;
  let authorities: Authorities;
  beforeEach(async () => {
    clock.set(Date.now());
    store = await openStore({ path: join(folder, "db/s.db"), keyFile: join(folder, "db/secret.key"), clock, random: systemRandom, logger: nullLogger });
    authorities = await openAuthorities({ store, clusterName: "example", clock, random: systemRandom });
  });
  afterEach(() => store.close());

  const open = (config: GatewayConfig, logger: Logger = nullLogger): ReturnType<typeof openCertificates> =>
    openCertificates({ authorities, config, hostId: "3f1c6d0e-0000-4000-8000-000000000000", clock, logger });

  it("of the host authority are renewed long before they end, with another key", async () => {
    vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] });
    const certificates = await open(configOf());
    const first = certificates.host;
    expect(certificates.web).toBe(first);
    expect(parseCertificate(first.cert.slice(0, first.cert.indexOf("-----END") + 26)).dnsNames).toContain("gw-1");
    let changes = 0;
    const stop = certificates.keepFresh(() => (changes += 1));
    clock.advance(first.expires - clock.now() - 31 * day);
    await vi.advanceTimersByTimeAsync(60_000);
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(changes).toBe(0);
    clock.advance(2 * day);
    await vi.advanceTimersByTimeAsync(60_000);
    await vi.waitFor(() => expect(changes).toBe(1));
    expect(certificates.host.key).not.toBe(first.key);
    expect(certificates.host.expires).toBeGreaterThan(first.expires);
    stop();
  });

  it("of the operator are read anew when the files change, and not while the two do not fit", async () => {
    vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] });
    const keyFile = join(folder, "web.key");
    const certFile = join(folder, "web.pem");
    const [before, after] = [selfSigned("gw.example.com"), selfSigned("gw.example.com")];
    await writeFile(keyFile, before.key);
    await writeFile(certFile, before.cert);
    const { logger, messages } = keptLog();
    const certificates = await open(configOf(`proxy_service: {https_key_file: ${keyFile}, https_cert_file: ${certFile}}`), logger);
    let changes = 0;
    const stop = certificates.keepFresh(() => (changes += 1));
    await writeFile(keyFile, after.key);
    await vi.advanceTimersByTimeAsync(60_000);
    await vi.waitFor(() => expect(messages).toContainEqual(expect.stringContaining("the old one stays in use")));
    expect([changes, certificates.web.cert]).toEqual([0, before.cert]);
    await writeFile(certFile, after.cert);
    await vi.advanceTimersByTimeAsync(60_000);
    await vi.waitFor(() => expect(changes).toBe(1));
    expect(certificates.web.cert).toBe(after.cert);
    expect(certificates.host.cert).not.toBe(after.cert);
    stop();
  });

  it("of the operator are refused, naming the file, when they cannot be used", async () => {
    const keyFile = join(folder, "web.key");
    const certFile = join(folder, "web.pem");
    const config = configOf(`proxy_service: {https_key_file: ${keyFile}, https_cert_file: ${certFile}}`);
    const pair = selfSigned("a");
    await expect(open(config)).rejects.toMatchObject({ code: "bad_parameter", message: expect.stringContaining(keyFile) as string });
    await writeFile(keyFile, pair.key);
    await writeFile(certFile, "not a certificate");
    await expect(open(config)).rejects.toThrow(`there is no PEM certificate in ${certFile}`);
    await writeFile(certFile, pair.cert + selfSigned("b").cert);
    await expect(open(config)).rejects.toThrow("certificate 2 did not issue certificate 1");
    await writeFile(keyFile, "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n");
    await writeFile(certFile, pair.cert);
    await expect(open(config)).rejects.toThrow(`${keyFile} is not a private key`);
  });

  it("of the operator that have ended, or are for other names, are warned of", async () => {
    const keyFile = join(folder, "web.key");
    const certFile = join(folder, "web.pem");
    const pair = selfSigned("a", Date.now() - day);
    await writeFile(keyFile, pair.key);
    await writeFile(certFile, pair.cert);
    const { logger, messages } = keptLog();
    await open(configOf(`proxy_service: {public_addr: gw.example.com, https_key_file: ${keyFile}, https_cert_file: ${certFile}}`), logger);
    expect(messages).toEqual([expect.stringContaining("has ended"), expect.stringContaining("does not cover this public address")]);
  });
});

describe("the shared port", () => {
  const server = (name: string): PurposeServer => ({ name }) as PurposeServer;
  const hello = (serverName: string | undefined): { serverName: string | undefined; alpn: string[]; remoteAddress: string } => ({ serverName, alpn: [], remoteAddress: "127.0.0.1:1" });

  it("chooses by server name, in any case and with a last dot", () => {
    const [web, admin, kube, ssh] = [server("web"), server("admin"), server("kube"), server("ssh")];
    const route = routeOf({ web, admin, kube, ssh }, "example");
    expect(route(hello(undefined))).toBe(web);
    expect(route(hello("gw.example.com"))).toBe(web);
    expect(route(hello(adminServerName("example").toUpperCase()))).toBe(admin);
    expect(route(hello(`${kubeServerName("prod")}.`))).toBe(kube);
    expect(route(hello(sshServerName("example")))).toBe(ssh);
    expect(route(hello(adminServerName("other")))).toBe(web);
  });

  it("refuses Kubernetes and SSH where they are off", () => {
    const route = routeOf({ web: server("web"), admin: server("admin"), kube: undefined, ssh: undefined }, "example");
    expect([route(hello(kubeServerName("prod"))), route(hello(sshServerName("example")))]).toEqual([undefined, undefined]);
  });
});

describe("Kubernetes health", () => {
  type Kube = Pick<KubeProxy, "clusters" | "check" | "onClusters">;
  const well = (cluster: string): UpstreamCheck => ({ cluster, ok: true, missing: [], problem: undefined, summary: undefined });

  function proxy(check: KubeProxy["check"], ...names: readonly string[]): Kube & { clusters: Kube["clusters"]; changed(): void } {
    const listeners = new Set<() => void>();
    const clusters = (names.length === 0 ? ["prod"] : names).map((name) => ({ name, labels: {} }));
    return { clusters, check, onClusters: (listener) => (listeners.add(listener), () => listeners.delete(listener)), changed: () => listeners.forEach((listener) => listener()) };
  }

  it("does not hold a start up for a cluster that never answers, nor the others", async () => {
    const health = await watchKubeHealth(
      proxy((name) => (name === "dead" ? new Promise(() => undefined) : Promise.resolve(well(name))), "dead", "prod"),
      10,
      nullLogger,
    );
    expect(health.checks.map(describeCheck)).toEqual(["has not answered yet", undefined]);
    health.close();
  });

  it("looks again, and logs what changed and nothing else", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    const { logger, messages } = keptLog();
    let check = well("prod");
    let looks = 0;
    const kube = proxy(async () => {
      looks += 1;
      return check;
    });
    const health = await watchKubeHealth(kube, 1000, logger);
    await vi.advanceTimersByTimeAsync(60_000);
    check = { cluster: "prod", ok: false, missing: ["impersonate groups"], problem: undefined, summary: "no" };
    await vi.advanceTimersByTimeAsync(60_000);
    expect(looks).toBe(3);
    expect(health.checks.map(describeCheck)).toEqual(["cannot impersonate groups"]);
    // What is not well is looked at after 2 s, 4 s, 8 s.
    await vi.advanceTimersByTimeAsync(14_000);
    expect(looks).toBe(6);
    check = well("prod");
    kube.changed();
    await vi.advanceTimersByTimeAsync(0);
    expect(health.checks.map(describeCheck)).toEqual([undefined]);
    expect(messages).toEqual(["the gateway may impersonate in this Kubernetes cluster", "the gateway cannot serve this Kubernetes cluster", "the gateway may impersonate in this Kubernetes cluster"]);
    health.close();
  });

  it("follows clusters that come and go", async () => {
    const kube = proxy((name) => Promise.resolve(well(name)), "a");
    const health = await watchKubeHealth(kube, 1000, nullLogger);
    Object.assign(kube, { clusters: [{ name: "b", labels: {} }] });
    expect(health.checks).toMatchObject([{ cluster: "b", ok: false }]);
    kube.changed();
    await vi.waitFor(() => expect(health.checks).toMatchObject([{ cluster: "b", ok: true }]));
    health.close();
  });
});

describe("cleanup", () => {
  it("closes in the opposite order, everything, and tells the first failure", async () => {
    const closed: string[] = [];
    const cleanup = createCleanup(nullLogger);
    cleanup.add("a", () => void closed.push("a"));
    cleanup.add("b", () => Promise.reject(new Error("b would not close")));
    cleanup.add("c", () => void closed.push("c"));
    await expect(cleanup.run()).rejects.toThrow("b would not close");
    expect(closed).toEqual(["c", "a"]);
    await cleanup.run();
    expect(closed).toEqual(["c", "a"]);
  });
});
