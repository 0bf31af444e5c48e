import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { nullLogger } from "../../base/index.ts";
import { rotatingToken } from "./token.ts";
import { loadUpstreams } from "./upstreams.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "gatehouse-upstreams-"));
});
afterAll(() => rm(folder, { recursive: true }));

const base64 = (text: string): string => Buffer.from(text).toString("base64");
const load = (kubeconfigFile: string | undefined, context?: string, serviceAccountDirectory = join(folder, "none")) =>
  loadUpstreams([{ name: "prod", kubeconfigFile, context, labels: { env: "prod" } }], { logger: nullLogger, env: { KUBERNETES_SERVICE_HOST: "10.0.0.1", KUBERNETES_SERVICE_PORT: "6443" }, serviceAccountDirectory });

async function kubeconfig(cluster: string, user: string, top = "current-context: a"): Promise<string> {
  const file = join(folder, "config");
  await writeFile(file, `apiVersion: v1\nkind: Config\n${top}\nclusters: [{name: c, cluster: {${cluster}}}]\nusers: [{name: u, user: {${user}}}]\ncontexts: [{name: a, context: {cluster: c, user: u}}, {name: b, context: {cluster: gone, user: u}}]\n`);
  return file;
}
const good = `server: "https://api.example.com:6443", certificate-authority-data: ${base64("CA")}`;

describe("loadUpstreams", () => {
  it("reads certificates inline and from files beside the kubeconfig", async () => {
    await writeFile(join(folder, "tls.key"), "KEY");
    await writeFile(join(folder, "tls.crt"), "CERT");
    const [one] = await load(await kubeconfig(`${good}, tls-server-name: other`, "client-certificate: tls.crt, client-key: tls.key"));
    expect(one).toMatchObject({ name: "prod", labels: { env: "prod" }, url: "https://api.example.com:6443", ca: "CA", serverName: "other", certificate: { cert: "CERT", key: "KEY" }, token: undefined });
  });

  it("reads tokens, inline and from kubectl's tokenFile", async () => {
    expect((await load(await kubeconfig(good, "token: abc")))[0]!.token!.current()).toBe("abc");
    await writeFile(join(folder, "token-file"), "from-file\n");
    const [one] = await load(await kubeconfig(good, "tokenFile: token-file"));
    expect(one!.token!.current()).toBe("from-file");
    one!.token!.close();
  });

  it("runs a credential plugin", async () => {
    const answer = JSON.stringify({ apiVersion: "client.authentication.k8s.io/v1", kind: "ExecCredential", status: { token: "plugged" } });
    const [one] = await load(await kubeconfig(good, `exec: {apiVersion: client.authentication.k8s.io/v1, command: ${process.execPath}, args: [-e, ${JSON.stringify(`console.log(${JSON.stringify(answer)})`)}]}`));
    expect(one!.token!.current()).toBe("plugged");
    one!.token!.close();
  });

  it.each([
    ["has no certificate authority", "server: \"https://x\"", "token: a"],
    ["without its key", good, `client-certificate-data: ${base64("CERT")}`],
    ["no client certificate, no token", good, ""],
    ["proxy-url", `${good}, proxy-url: "http://p"`, "token: a"],
    ["impersonates another", good, "token: a, as: root"],
    ["plugin failed", good, "exec: {apiVersion: client.authentication.k8s.io/v1, command: /nonexistent/plugin}"],
    ["server is missing", "certificate-authority-data: QQ==", "token: a"],
  ])("says what is wrong: %s", async (text, cluster, user) => {
    await expect(load(await kubeconfig(cluster, user))).rejects.toThrow(new RegExp(`kubeconfig .*config of Kubernetes cluster "prod" cannot be used: .*${text}`));
  });

  it("names contexts and clusters that are not there", async () => {
    const file = await kubeconfig(good, "token: a");
    await expect(load(file, "zzz")).rejects.toThrow(/no context "zzz" \(it has: a, b\)/);
    await expect(load(file, "b")).rejects.toThrow(/names the cluster "gone"/);
    await expect(load(await kubeconfig(good, "token: a", ""))).rejects.toThrow(/no current-context/);
    await expect(load(join(folder, "missing"))).rejects.toThrow(/missing of Kubernetes cluster "prod" does not exist/);
  });

  it("takes insecure-skip-tls-verify alone for leaving out the authority", async () => {
    expect((await load(await kubeconfig("server: \"https://x\", insecure-skip-tls-verify: true", "token: a")))[0]).toMatchObject({ ca: undefined, insecureSkipTlsVerify: true });
  });

  it("uses the service account of the pod where no kubeconfig is named", async () => {
    await writeFile(join(folder, "ca.crt"), "CA");
    await writeFile(join(folder, "token"), "sa-token");
    const [one] = await load(undefined, undefined, folder);
    expect(one).toMatchObject({ url: "https://10.0.0.1:6443", ca: "CA", certificate: undefined });
    expect(one!.token!.current()).toBe("sa-token");
    one!.token!.close();
    await expect(load(undefined)).rejects.toThrow(/kubeconfig_file|service account/);
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
