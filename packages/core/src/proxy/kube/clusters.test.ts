import { generateKeyPairSync } from "node:crypto";
import { chmod, mkdtemp, readFile, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { stringify } from "yaml";
import { nullLogger } from "../../base/index.ts";
import { buildCertificate } from "../../formats/index.ts";
import { openClusters, type ClusterSettings } from "./clusters.ts";
import type { ClusterDirectory } from "./types.ts";

const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "prime256v1" });
const KEY = privateKey.export({ type: "pkcs8", format: "pem" }).toString();
const certificate = (serial: bigint): string =>
  buildCertificate({ serial, subject: { CN: ["c"] }, notBefore: Date.now() - 1000, notAfter: Date.now() + 1e9, publicKey, keyUsage: ["digitalSignature"], extendedKeyUsage: ["clientAuth"] }, { privateKey });
const CERT = certificate(7n);

let folder: string;
const open: ClusterDirectory[] = [];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "gatehouse-clusters-"));
});
afterEach(async () => {
  for (const directory of open.splice(0)) await directory.close();
  await rm(folder, { recursive: true });
});

type User = Readonly<Record<string, unknown>>;
/** A kubeconfig with a context, a cluster and a user for each name. */
const configOf = (users: Readonly<Record<string, User>>, current?: string): string =>
  stringify({
    ...(current === undefined ? {} : { "current-context": current }),
    clusters: Object.keys(users).map((name) => ({ name, cluster: { server: `https://${name.replace(/\W/g, "")}.example.com`, "certificate-authority-data": Buffer.from(CERT).toString("base64") } })),
    contexts: Object.keys(users).map((name) => ({ name, context: { cluster: name, user: name } })),
    users: Object.entries(users).map(([name, user]) => ({ name, user })),
  });
const path = (name: string): string => join(folder, name);
async function write(name: string, text: string): Promise<string> {
  await writeFile(path(`${name}.new`), text);
  await rename(path(`${name}.new`), path(name));
  return path(name);
}

async function openWith(settings: Partial<ClusterSettings>, wait = 5000): Promise<ClusterDirectory> {
  const clusters = settings.clusters ?? [];
  const directory = await openClusters({ clusters, kubeconfigFile: undefined, labels: {}, unnamed: clusters.length === 0, ...settings }, { logger: nullLogger, env: {}, clusterName: "example", wait, serviceAccountDirectory: path("none") });
  open.push(directory);
  return directory;
}
const names = (directory: ClusterDirectory): string[] => directory.clusters.map(({ name }) => name);
const tokenOf = (directory: ClusterDirectory, name: string): string | undefined => directory.clusters.find((one) => one.name === name)?.upstream?.token?.current();
const soon = (check: () => void): Promise<void> => vi.waitFor(check, { interval: 50 });

describe("the clusters of a gateway", () => {
  it("are every context of the kubeconfig, and what kubernetes.clusters names", async () => {
    const file = await write("k", configOf({ a: { token: "a" }, b: { token: "b" }, c: { token: "c" } }, "b"));
    const directory = await openWith({
      kubeconfigFile: file,
      labels: { team: "x" },
      clusters: [
        { name: "prod", kubeconfigFile: file, context: "c", labels: { env: "prod" } },
        { name: "other", kubeconfigFile: await write("o", configOf({ z: { token: "z" } }, "z")), context: undefined, labels: {} },
      ],
    });
    expect(directory.clusters).toMatchObject([
      { name: "prod", labels: { env: "prod" }, upstream: { url: "https://c.example.com" } },
      { name: "other", upstream: { url: "https://z.example.com" } },
      { name: "a", labels: { team: "x" }, upstream: { url: "https://a.example.com" } },
      { name: "b", labels: { team: "x" } },
    ]);
    expect(directory.defaultCluster).toBe("b");
    expect(directory.notes).toEqual([]);
  });

  it("have the current context's as the default, by the name that it was given", async () => {
    const file = await write("k", configOf({ a: { token: "a" }, b: { token: "b" } }, "b"));
    const prod = { name: "prod", kubeconfigFile: file, labels: {} };
    expect((await openWith({ kubeconfigFile: file, clusters: [{ ...prod, context: "b" }] })).defaultCluster).toBe("prod");
    expect(names(await openWith({ kubeconfigFile: file, clusters: [{ ...prod, context: undefined }] }))).toEqual(["prod", "a"]);
    expect((await openWith({ clusters: [{ ...prod, context: "a" }, { ...prod, name: "second", context: "b" }] })).defaultCluster).toBe("prod");
    const none = await openWith({ kubeconfigFile: await write("n", configOf({ a: { token: "a" }, b: { token: "b" } })) });
    expect([none.defaultCluster, names(none)]).toEqual([undefined, ["a", "b"]]);
    const orphan = await openWith({ kubeconfigFile: await write("n", configOf({ a: { token: "a" }, b: { token: "b" } }, "gone")) });
    expect([orphan.defaultCluster, orphan.notes]).toEqual([undefined, [expect.stringContaining('current-context "gone"')]]);
  });

  it("are one, by the name of the gateway's own, where the file has one context", async () => {
    const directory = await openWith({ kubeconfigFile: await write("k", configOf({ a: { token: "a" } })) });
    expect([names(directory), directory.defaultCluster]).toEqual([["example"], "example"]);
    // A second one joins it under its own name; nobody's cluster is renamed under them.
    await write("k", configOf({ a: { token: "a" }, b: { token: "b" } }, "b"));
    await soon(() => expect(names(directory)).toEqual(["example", "b"]));
    expect(directory.defaultCluster).toBe("b");
  });

  it.each([
    ["is not there", undefined, /does not exist/],
    ["is empty", "", /no contexts/],
    ["is no YAML", "{{{", /./],
    ["has no credentials in it", configOf({ a: {} }, "a"), /no client certificate, no token/],
    ["names a cluster that it does not have", "current-context: a\ncontexts: [{name: a, context: {cluster: gone, user: u}}]\n", /names the cluster "gone"/],
  ])("do not open with a kubeconfig alone that %s", async (_what, text, message) => {
    if (text !== undefined) await write("k", text);
    await expect(openWith({ kubeconfigFile: path("k") })).rejects.toMatchObject({ code: "bad_parameter", message: expect.stringMatching(message) as string });
    await expect(openWith({ clusters: [{ name: "p", kubeconfigFile: path("k"), context: "a", labels: {} }] })).rejects.toMatchObject({ message: expect.stringMatching(/of Kubernetes cluster "p" cannot be used/) as string });
  });

  it("open without what is broken, which is told, and heals when its file does", async () => {
    const file = await write("k", configOf({ good: { token: "t" }, bad: {} }, "good"));
    const directory = await openWith({ kubeconfigFile: file, clusters: [{ name: "away", kubeconfigFile: path("away"), context: undefined, labels: {} }] });
    expect(directory.clusters).toMatchObject([
      { name: "away", upstream: undefined, problem: { summary: "the gateway's credentials for it cannot be used", detail: expect.stringMatching(/away.*does not exist/) as string } },
      { name: "good", upstream: { url: "https://good.example.com" }, problem: undefined },
      { name: "bad", upstream: undefined, problem: { detail: expect.stringMatching(/no client certificate, no token/) as string } },
    ]);
    expect(directory.clusters[0]!.problem!.summary).not.toContain(folder);
    expect(directory.notes).toEqual([expect.stringMatching(/the kubeconfig .*away cannot be read: it does not exist/)]);
    await write("k", configOf({ good: { token: "t" }, bad: { token: "healed" } }, "good"));
    await write("away", configOf({ x: { token: "back" } }, "x"));
    await soon(() => expect([tokenOf(directory, "bad"), tokenOf(directory, "away")]).toEqual(["healed", "back"]));
    expect(directory.notes).toEqual([]);
  });

  it("open with the main kubeconfig unreadable where another cluster works", async () => {
    const directory = await openWith({ kubeconfigFile: path("k"), clusters: [{ name: "p", kubeconfigFile: await write("p", configOf({ a: { token: "a" } })), context: undefined, labels: {} }] });
    expect(names(directory)).toEqual(["p"]);
    await write("k", configOf({ late: { token: "l" } }, "late"));
    await soon(() => expect(names(directory)).toEqual(["p", "late"]));
    expect(directory.defaultCluster).toBe("late");
  });

  it("take up tokens, and certificates in files of their own, when they are rotated", async () => {
    await write("tls.crt", CERT);
    await write("tls.key", KEY);
    const file = await write("k", configOf({ a: { token: "one" }, b: { "client-certificate": "tls.crt", "client-key": "tls.key" } }, "a"));
    const directory = await openWith({ kubeconfigFile: file });
    let changes = 0;
    directory.onChange(() => (changes += 1));
    await write("k", configOf({ a: { token: "two" }, b: { "client-certificate": "tls.crt", "client-key": "tls.key" } }, "a"));
    await soon(() => expect(tokenOf(directory, "a")).toBe("two"));
    const other = certificate(8n);
    const before = directory.clusters[1];
    await write("tls.crt", other);
    await soon(() => expect(directory.clusters[1]!.upstream!.certificate!.cert).toBe(other));
    expect(directory.clusters[1]).not.toBe(before);
    expect(changes).toBeGreaterThanOrEqual(2);
  });

  it("take up a file that is rotated while they are read", async () => {
    await write("ca.crt", CERT);
    await write("next.crt", certificate(9n));
    const token = JSON.stringify({ apiVersion: "client.authentication.k8s.io/v1", kind: "ExecCredential", status: { token: "t" } });
    // The authorities have been read when the plugin runs.
    await write("plugin", `#!/bin/sh\n[ -e ${path("next.crt")} ] && mv ${path("next.crt")} ${path("ca.crt")}\necho '${token}'\n`);
    await chmod(path("plugin"), 0o755);
    const user = { exec: { apiVersion: "client.authentication.k8s.io/v1", command: path("plugin"), interactiveMode: "Never" } };
    const config = stringify({ "current-context": "a", clusters: [{ name: "a", cluster: { server: "https://a.example.com", "certificate-authority": "ca.crt" } }], contexts: [{ name: "a", context: { cluster: "a", user: "a" } }], users: [{ name: "a", user }] });
    const directory = await openWith({ kubeconfigFile: await write("k", config) });
    const rotated = await readFile(path("ca.crt"), "utf8");
    expect(rotated).not.toBe(CERT);
    await soon(() => expect(directory.clusters[0]!.upstream!.ca).toBe(rotated));
  });

  it("stay as they are while a file cannot be read, is cut short, or loses an entry; and it is told", async () => {
    const text = configOf({ a: { token: "a" }, b: { token: "b" } }, "a");
    const directory = await openWith({ kubeconfigFile: await write("k", text) });
    await write("k", "");
    await soon(() => expect(directory.notes).toEqual([expect.stringMatching(/cannot be read: it is no kubeconfig: it has no contexts/)]));
    expect([names(directory), tokenOf(directory, "a")]).toEqual([["a", "b"], "a"]);
    await rm(path("k"));
    await soon(() => expect(directory.notes).toEqual([expect.stringMatching(/does not exist/)]));
    await write("k", configOf({ a: {}, b: { token: "b" } }, "a"));
    await soon(() => expect(directory.notes).toEqual([expect.stringMatching(/no client certificate.*credentials read before stay in use/)]));
    expect(tokenOf(directory, "a")).toBe("a");
    await write("k", text);
    await soon(() => expect(directory.notes).toEqual([]));
  });

  it("go when their context does", async () => {
    const directory = await openWith({ kubeconfigFile: await write("k", configOf({ a: { token: "a" }, b: { token: "b" }, c: { token: "c" } }, "a")) });
    await write("k", configOf({ a: { token: "a" }, c: { token: "c" } }, "c"));
    await soon(() => expect(names(directory)).toEqual(["a", "c"]));
    expect(directory.defaultCluster).toBe("c");
  });

  it("ask a plugin that failed again, and wait for none that hangs", async () => {
    const script = async (name: string, text: string): Promise<User> => {
      await write(name, `#!/bin/sh\n${text}\n`);
      await chmod(path(name), 0o755);
      return { exec: { apiVersion: "client.authentication.k8s.io/v1", command: path(name), interactiveMode: "Never" } };
    };
    const answer = (token: string): string => `echo run >> ${path("runs")}; echo '${JSON.stringify({ apiVersion: "client.authentication.k8s.io/v1", kind: "ExecCredential", status: { token } })}'`;
    const hangs = await script("hangs", "exec sleep 20");
    const fails = await script("fails", "echo 'secret details' >&2; exit 1");
    const directory = await openWith({ kubeconfigFile: await write("k", configOf({ fails, hangs, fine: { token: "f" } }, "fine")) }, 4000);
    expect(directory.clusters).toMatchObject([
      { name: "fails", upstream: undefined, problem: { summary: "the gateway could not get credentials for it", detail: expect.stringContaining("secret details") as string } },
      { name: "hangs", upstream: undefined, problem: { summary: "its credentials have not been read yet" } },
      { name: "fine", upstream: { url: "https://fine.example.com" } },
    ]);
    await script("fails", answer("at last"));
    await soon(() => expect(tokenOf(directory, "fails")).toBe("at last"));
    expect(await readFile(path("runs"), "utf8")).toBe("run\n");
  });
});
