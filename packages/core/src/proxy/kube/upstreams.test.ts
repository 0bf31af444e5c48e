import { generateKeyPairSync } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { nullLogger } from "../../base/index.ts";
import { buildCertificate } from "../../formats/index.ts";
import { readKubeconfigFile } from "./kubeconfig-file.ts";
import { rotatingToken } from "./token.ts";
import type { KubeUpstream } from "./types.ts";
import { readContext, readServiceAccount } from "./upstreams.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "gatehouse-upstreams-"));
});
afterAll(() => rm(folder, { recursive: true }));

const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "prime256v1" });
const KEY = privateKey.export({ type: "pkcs8", format: "pem" }).toString();
const CERT = buildCertificate({ serial: 7n, subject: { CN: ["c"] }, notBefore: Date.now() - 1000, notAfter: Date.now() + 1e9, publicKey, keyUsage: ["digitalSignature"], extendedKeyUsage: ["clientAuth"] }, { privateKey });
const base64 = (text: string): string => Buffer.from(text).toString("base64");
const options = { logger: nullLogger, env: { KUBERNETES_SERVICE_HOST: "10.0.0.1", KUBERNETES_SERVICE_PORT: "6443" } };
const cluster = { name: "prod", labels: { env: "prod" } };

async function load(file: string, context?: string): Promise<KubeUpstream> {
  const kubeconfig = await readKubeconfigFile(file);
  return (await readContext(cluster, kubeconfig.context(context ?? kubeconfig.current ?? ""), options)).upstream;
}

async function kubeconfig(server: string, user: string, top = "current-context: a"): Promise<string> {
  const file = join(folder, "config");
  await writeFile(file, `apiVersion: v1\nkind: Config\n${top}\nclusters: [{name: c, cluster: {${server}}}]\nusers: [{name: u, user: {${user}}}]\ncontexts: [{name: a, context: {cluster: c, user: u}}, {name: b, context: {cluster: gone, user: u}}]\n`);
  return file;
}
const good = `server: "https://api.example.com:6443", certificate-authority-data: ${base64(CERT)}`;

describe("credentials of a context", () => {
  it("are certificates, inline and from files beside the kubeconfig", async () => {
    await writeFile(join(folder, "tls.key"), KEY);
    await writeFile(join(folder, "tls.crt"), CERT);
    const expected = { name: "prod", labels: { env: "prod" }, url: "https://api.example.com:6443", ca: CERT, serverName: "other", certificate: { cert: CERT, key: KEY }, token: undefined };
    const file = await kubeconfig(`${good}, tls-server-name: other`, "client-certificate: tls.crt, client-key: tls.key");
    expect(await load(file)).toMatchObject(expected);
    expect((await readContext(cluster, (await readKubeconfigFile(file)).context("a"), options)).files).toEqual([join(folder, "tls.crt"), join(folder, "tls.key")]);
    expect(await load(await kubeconfig(`${good}, tls-server-name: other`, `client-certificate-data: ${base64(CERT)}, client-key-data: ${base64(KEY)}`))).toMatchObject(expected);
  });

  it("are tokens, inline and from kubectl's tokenFile", async () => {
    expect((await load(await kubeconfig(good, "token: abc"))).token!.current()).toBe("abc");
    await writeFile(join(folder, "token-file"), "from-file\n");
    const { token } = await load(await kubeconfig(good, "tokenFile: token-file"));
    expect(token!.current()).toBe("from-file");
    token!.close();
  });

  it("come from a credential plugin", async () => {
    const answer = JSON.stringify({ apiVersion: "client.authentication.k8s.io/v1", kind: "ExecCredential", status: { token: "plugged" } });
    const { token } = await load(await kubeconfig(good, `exec: {apiVersion: client.authentication.k8s.io/v1, command: ${process.execPath}, args: [-e, ${JSON.stringify(`console.log(${JSON.stringify(answer)})`)}]}`));
    expect(token!.current()).toBe("plugged");
    token!.close();
  });

  it.each([
    ["has no certificate authority", "server: \"https://x\"", "token: a"],
    ["without its key", good, `client-certificate-data: ${base64(CERT)}`],
    ["no client certificate, no token", good, ""],
    ["proxy-url", `${good}, proxy-url: "http://p"`, "token: a"],
    ["impersonates another", good, "token: a, as: root"],
    ["plugin failed", good, "exec: {apiVersion: client.authentication.k8s.io/v1, command: /nonexistent/plugin}"],
    ["server is missing", "certificate-authority-data: QQ==", "token: a"],
    ["not https", `server: "ftp://x", certificate-authority-data: ${base64(CERT)}`, "token: a"],
    ["cannot be used", good, `client-certificate-data: ${base64(CERT)}, client-key-data: ${base64("no key")}`],
    ["cannot be used", `server: "https://x", certificate-authority-data: ${base64("CA")}`, "token: a"],
  ])("that are wrong say so: %s", async (text, server, user) => {
    await expect(load(await kubeconfig(server, user))).rejects.toThrow(text);
  });

  it("name contexts and clusters that are not there", async () => {
    const file = await kubeconfig(good, "token: a");
    await expect(load(file, "zzz")).rejects.toThrow(/no context "zzz" \(it has: a, b\)/);
    await expect(load(file, "b")).rejects.toThrow(/names the cluster "gone"/);
    expect((await readKubeconfigFile(await kubeconfig(good, "token: a", ""))).current).toBeUndefined();
    expect((await readKubeconfigFile(file)).contexts).toEqual([{ name: "a", usable: true }, { name: "b", usable: false }]);
  });

  it.each([
    ["does not exist", undefined],
    ["no contexts", ""],
    ["no contexts", "apiVersion: v1\nkind: Config\n"],
    ["", "{{{"],
    ["larger than 4 MiB", "#".repeat(4 * 1024 * 1024 + 1)],
  ])("cannot be had of a file that is none: %s", async (text, content) => {
    const file = join(folder, content === undefined ? "missing" : "broken");
    if (content !== undefined) await writeFile(file, content);
    await expect(readKubeconfigFile(file)).rejects.toMatchObject({ code: "bad_parameter", message: expect.stringContaining(text) as string });
  });

  it("are spoilt by their own entries alone", async () => {
    const file = join(folder, "mixed");
    await writeFile(file, `current-context: 7\nclusters: [{name: c, cluster: {${good}}}, {name: broken, cluster: {}}]\nusers: [{name: u, user: {token: a}}]\ncontexts: [{name: 7, context: {cluster: c, user: u}}, {name: b, context: {cluster: broken, user: u}}]\n`);
    expect(await load(file)).toMatchObject({ url: "https://api.example.com:6443" });
    await expect(load(file, "b")).rejects.toThrow(/names the cluster "broken", which it does not have: clusters\[1\]\.cluster\.server is missing/);
  });

  it("may leave the authority out only with insecure-skip-tls-verify", async () => {
    expect(await load(await kubeconfig("server: \"https://x\", insecure-skip-tls-verify: true", "token: a"))).toMatchObject({ ca: undefined, insecureSkipTlsVerify: true });
  });

  it("are the pod's service account where no kubeconfig is named", async () => {
    await writeFile(join(folder, "ca.crt"), CERT);
    await writeFile(join(folder, "token"), "sa-token");
    const { upstream } = await readServiceAccount(cluster, { ...options, serviceAccountDirectory: folder });
    expect(upstream).toMatchObject({ url: "https://10.0.0.1:6443", ca: CERT, certificate: undefined });
    expect(upstream.token!.current()).toBe("sa-token");
    upstream.token!.close();
    await expect(readServiceAccount(cluster, { ...options, serviceAccountDirectory: join(folder, "none") })).rejects.toThrow(/service account/);
  });
});

describe("rotatingToken", () => {
  it("reads anew every minute and when asked, and keeps the last good one", async () => {
    vi.useFakeTimers();
    try {
      let next: () => Promise<string> = () => Promise.resolve("one");
      const token = await rotatingToken("prod", () => next(), nullLogger);
      next = () => Promise.resolve("two");
      token.refresh();
      expect(token.current()).toBe("one");
      await vi.advanceTimersByTimeAsync(60_000);
      expect(token.current()).toBe("two");
      next = () => Promise.reject(new Error("gone for a moment"));
      await vi.advanceTimersByTimeAsync(60_000);
      expect(token.current()).toBe("two");
      next = () => Promise.resolve("three");
      await vi.advanceTimersByTimeAsync(1_000);
      token.refresh();
      await vi.advanceTimersByTimeAsync(0);
      expect(token.current()).toBe("three");
      token.close();
    } finally {
      vi.useRealTimers();
    }
  });
});
