import { execFileSync } from "node:child_process";
import { generateKeyPairSync } from "node:crypto";
import { chmod, lstat, mkdir, mkdtemp, readFile, readdir, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { parse, stringify } from "yaml";
import { newAuthority, userPair } from "../testing.ts";
import { addKubeEntries, kubeContexts, removeKubeEntries, renewEmbedded, selectKubeContext, type KubeEntries } from "./index.ts";

const foreign = `# my clusters
apiVersion: v1
kind: Config
preferences: {}
clusters:
- cluster:
    server: https://192.168.49.2:8443   # the laptop
    certificate-authority: /home/ana/.minikube/ca.crt
  name: minikube
contexts:
- context:
    cluster: minikube
    namespace: dev
    user: minikube
  name: minikube
# what I use most
current-context: minikube
users:
- name: minikube
  user:
    client-certificate: "/home/ana/.minikube/client.crt"
    client-key: '/home/ana/.minikube/client.key'
`;

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "gatehouse-kubeconfig-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const path = (name: string): string => join(folder, name);
const envOf = (...names: readonly string[]): { KUBECONFIG: string; HOME: string } => ({ KUBECONFIG: names.map((name) => (name === "" ? "" : path(name))).join(":"), HOME: folder });

function entries(overrides: Partial<KubeEntries> = {}): KubeEntries {
  return {
    proxy: "gw.example.com:3080",
    gatehouseCluster: "example",
    server: "gw.example.com:3026",
    authorities: ["-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"],
    clusters: [{ cluster: "example", serverName: "k6578.kube.teleport.cluster.local" }],
    launcher: "/home/ana/.tsh/bin/tsh",
    embed: undefined,
    ...overrides,
  };
}

interface Parsed {
  readonly "current-context"?: string;
  readonly clusters: { readonly name: string; readonly cluster: Record<string, unknown> }[];
  readonly contexts: { readonly name: string; readonly context: Record<string, unknown> }[];
  readonly users: { readonly name: string; readonly user: Record<string, unknown> & { exec?: { args: string[]; command: string } } }[];
}
const read = async (name: string): Promise<Parsed> => parse(await readFile(path(name), "utf8")) as Parsed;

describe("login's entries", () => {
  it("are added below what is there, which stays to the letter, and logout gives the file back", async () => {
    await writeFile(path("config"), foreign, { mode: 0o640 });
    const update = await addKubeEntries(envOf("config"), entries());
    expect(update).toMatchObject({ file: path("config"), contexts: [{ cluster: "example", context: "example" }], current: "minikube", currentIsOurs: false });
    const text = await readFile(path("config"), "utf8");
    for (const line of foreign.split("\n")) expect(text).toContain(line);
    expect((await stat(path("config"))).mode & 0o777).toBe(0o640);
    expect((await read("config")).users[1]?.user.exec).toMatchObject({ command: "/home/ana/.tsh/bin/tsh", args: ["kube", "credentials", "--proxy=gw.example.com:3080", "--cluster=example"] });
    expect(await removeKubeEntries(envOf("config"), "gw.example.com:3080")).toEqual(["example"]);
    expect(await readFile(path("config"), "utf8")).toBe(foreign);
  });

  it("are what kubectl reads", async () => {
    await writeFile(path("config"), foreign);
    await addKubeEntries(envOf("config"), entries({ clusters: [{ cluster: "example", serverName: "a" }, { cluster: "prod", serverName: "b" }] }));
    const names = execFileSync("kubectl", ["config", "get-contexts", "-o", "name"], { env: { PATH: process.env["PATH"], ...envOf("config") }, encoding: "utf8" });
    expect(names.trim().split("\n").sort()).toEqual(["example", "example-prod", "minikube"]);
    // kubectl rewrites the whole file: our marks survive it.
    execFileSync("kubectl", ["config", "set-context", "example", "--namespace=payments"], { env: { PATH: process.env["PATH"], ...envOf("config") } });
    await addKubeEntries(envOf("config"), entries());
    const after = await read("config");
    expect(after.contexts.map((context) => context.name).sort()).toEqual(["example", "minikube"]);
    expect(after.contexts.find((context) => context.name === "example")?.context["namespace"]).toBe("payments");
    expect([...(await kubeContexts(envOf("config"), "gw.example.com:3080")).namespaces]).toEqual([["example", "payments"]]);
    expect(await removeKubeEntries(envOf("config"), "gw.example.com:3080")).toEqual(["example"]);
    expect((await read("config")).users.map((user) => user.name)).toEqual(["minikube"]);
  });

  it("go to a new file that only its owner can read, and the context is selected there; logout takes the file away again", async () => {
    const update = await addKubeEntries({ HOME: folder }, entries());
    expect(update).toMatchObject({ file: path(".kube/config"), current: "example", currentIsOurs: true });
    expect((await stat(path(".kube/config"))).mode & 0o777).toBe(0o600);
    expect((await stat(path(".kube"))).mode & 0o777).toBe(0o700);
    await removeKubeEntries({ HOME: folder }, "gw.example.com:3080");
    await expect(stat(path(".kube/config"))).rejects.toThrow(/ENOENT/);
    expect(await readdir(path(".kube"))).toEqual([]);
  });

  it("leave a file behind that holds something else, or that kubectl or the person made", async () => {
    const empty = "apiVersion: v1\nclusters: []\ncontexts: []\ncurrent-context: ''\nkind: Config\npreferences: {}\nusers: []\n";
    const noted = "apiVersion: v1\nkind: Config\nclusters: []\ncontexts: []\ncurrent-context: ''\nusers: [] # mine\n";
    for (const text of [empty, noted]) {
      await writeFile(path("config"), text);
      await addKubeEntries(envOf("config"), entries());
      await removeKubeEntries(envOf("config"), "gw.example.com:3080");
      expect(parse(await readFile(path("config"), "utf8"))).toEqual(parse(text));
    }
  });

  it("leave the selection on the one of ours that is selected, and move it from one that is gone", async () => {
    const clusters = [{ cluster: "example", serverName: "a" }, { cluster: "prod", serverName: "b" }];
    await addKubeEntries(envOf("config"), entries({ clusters }));
    await selectKubeContext(envOf("config"), "example-prod");
    expect((await addKubeEntries(envOf("config"), entries({ clusters }))).current).toBe("example-prod");
    expect((await addKubeEntries(envOf("config"), entries())).current).toBe("example");
    expect((await addKubeEntries(envOf("config"), entries({ clusters: [] }))).current).toBeUndefined();
  });

  it("of two gateways with one cluster name stay apart, and each logout takes its own", async () => {
    await addKubeEntries(envOf("config"), entries());
    const second = entries({ proxy: "other.example.com:3080" });
    expect((await addKubeEntries(envOf("config"), second)).contexts).toEqual([{ cluster: "example", context: "example@other.example.com" }]);
    expect((await addKubeEntries(envOf("config"), second)).contexts).toEqual([{ cluster: "example", context: "example@other.example.com" }]);
    expect(await removeKubeEntries(envOf("config"), "gw.example.com:3080")).toEqual(["example"]);
    expect((await kubeContexts(envOf("config"), "other.example.com:3080")).contexts).toEqual(["example@other.example.com"]);
  });

  it("of one cluster are added alone, beside those that are there; those that are gone go", async () => {
    const clusters = ["a", "b", "c"].map((cluster) => ({ cluster, serverName: `${cluster}.kube` }));
    const of = (update: { readonly contexts: readonly { readonly context: string }[] }): string[] => update.contexts.map(({ context }) => context);
    expect(of(await addKubeEntries(envOf("config"), entries({ clusters, only: "b" })))).toEqual(["example-b"]);
    expect(of(await addKubeEntries(envOf("config"), entries({ clusters, only: "c" })))).toEqual(["example-b", "example-c"]);
    expect(of(await addKubeEntries(envOf("config"), entries({ clusters: clusters.slice(0, 2), only: "a" })))).toEqual(["example-a", "example-b"]);
    expect((await read("config")).clusters.map(({ cluster, name }) => [name, cluster["tls-server-name"]])).toEqual([["example-b", "b.kube"], ["example-a", "a.kube"]]);
  });

  it("select the gateway's default cluster where nothing is selected", async () => {
    const clusters = ["a", "b"].map((cluster) => ({ cluster, serverName: cluster }));
    expect((await addKubeEntries(envOf("config"), entries({ clusters, preferred: "b" }))).current).toBe("example-b");
  });

  it("never replace a person's own entry of the same name", async () => {
    await writeFile(path("config"), foreign.replaceAll("minikube", "example"));
    const update = await addKubeEntries(envOf("config"), entries());
    expect(update.contexts).toEqual([{ cluster: "example", context: "example@gw.example.com" }]);
    await removeKubeEntries(envOf("config"), "gw.example.com:3080");
    expect(await readFile(path("config"), "utf8")).toBe(foreign.replaceAll("minikube", "example"));
  });

  it("carry key and certificate with embed, and logout knows them still", async () => {
    await addKubeEntries(envOf("config"), entries({ embed: { certificate: "CERT", key: "KEY" } }));
    expect((await read("config")).users[0]?.user).toMatchObject({ "client-certificate-data": "Q0VSVA==", "client-key-data": "S0VZ" });
    await removeKubeEntries(envOf("config"), "gw.example.com:3080");
    await expect(stat(path("config"))).rejects.toThrow(/ENOENT/);
  });

  describe("with embed", () => {
    const authority = newAuthority();
    const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    const hour = 3_600_000;
    const now = Date.now();
    const certificate = (left: number, key = privateKey): string => userPair(authority, key, { notAfter: now + left }).certificate;
    const [first, renewed] = [certificate(hour), certificate(2 * hour)];
    const key = privateKey.export({ type: "pkcs8", format: "pem" }).toString();
    const login = { proxy: "gw.example.com:3080", privateKey: key, tlsCertificate: renewed };
    const userOf = async (name: string): Promise<Record<string, unknown> | undefined> => (await read(name)).users.find((user) => user.name === "example")?.user;
    const data = (text: string): string => Buffer.from(text).toString("base64");

    it("take the certificate of a renewal, with nothing else in the file changed, and closed to others", async () => {
      await writeFile(path("config"), foreign, { mode: 0o644 });
      expect((await addKubeEntries(envOf("config"), entries({ embed: { certificate: first, key } }))).embedded).toEqual([path("config")]);
      const before = await readFile(path("config"), "utf8");
      await chmod(path("config"), 0o644);
      expect(await renewEmbedded(path("config"), login)).toBe(true);
      expect(await readFile(path("config"), "utf8")).toBe(before.replace(data(first), data(renewed)));
      expect((await stat(path("config"))).mode & 0o777).toBe(0o600);
      expect(await renewEmbedded(path("config"), login)).toBe(false);
      // Two renewals of which one was missed, and one that comes too late.
      const later = certificate(3 * hour);
      expect(await renewEmbedded(path("config"), { ...login, tlsCertificate: later })).toBe(true);
      expect(await renewEmbedded(path("config"), login)).toBe(false);
      expect(await userOf("config")).toMatchObject({ "client-certificate-data": data(later), "client-key-data": data(key) });
    });

    it("stay as they are where they hold another login, or somebody has changed them, and where the file is gone", async () => {
      const other = generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey;
      const others: readonly Record<string, unknown>[] = [
        { "client-certificate-data": data(first), "client-key-data": data("another key") },
        { "client-certificate-data": data(certificate(hour, other)), "client-key-data": data(key) },
        { "client-certificate-data": data("no certificate"), "client-key-data": data(key) },
        { "client-certificate-data": data(first), "client-key-data": data(key), "tls-server-name": "mine" },
        { "client-certificate-data": data(first), "client-key-data": data(key), extensions: undefined },
      ];
      for (const change of others) {
        await addKubeEntries(envOf("config"), entries({ embed: { certificate: first, key } }));
        const config = await read("config");
        const [user] = config.users;
        if (user) Object.assign(user.user, change);
        await writeFile(path("config"), stringify(config));
        const before = await readFile(path("config"), "utf8");
        expect([change, await renewEmbedded(path("config"), login)]).toEqual([change, false]);
        expect(await readFile(path("config"), "utf8")).toBe(before);
        await rm(path("config"));
      }
      expect(await renewEmbedded(path("gone/config"), login)).toBe(false);
      await expect(lstat(path("gone"))).rejects.toThrow(/ENOENT/);
    });
  });

  it("close the file to others when a key goes into it, and leave its mode alone otherwise", async () => {
    await writeFile(path("config"), foreign, { mode: 0o644 });
    await addKubeEntries(envOf("config"), entries());
    expect((await stat(path("config"))).mode & 0o777).toBe(0o644);
    await addKubeEntries(envOf("config"), entries({ embed: { certificate: "CERT", key: "KEY" } }));
    expect((await stat(path("config"))).mode & 0o777).toBe(0o600);
  });
});

describe("KUBECONFIG", () => {
  it("with one file under two names: it is written once, and holds what was added last", async () => {
    await writeFile(path("real"), foreign);
    await symlink(path("real"), path("link"));
    const more = { cluster: "more", serverName: "k6d.kube.teleport.cluster.local" };
    await addKubeEntries(envOf("real", "link"), entries({ clusters: [...entries().clusters, more] }));
    await addKubeEntries(envOf("real", "link"), entries({ clusters: [more] }));
    expect((await read("real")).contexts.map((context) => context.name)).toEqual(["minikube", "example-more"]);
  });

  it("with two files: new entries go to the first that exists, each entry stays where it is, the selection is kubectl's", async () => {
    await writeFile(path("b"), foreign);
    expect((await addKubeEntries(envOf("a", "b"), entries())).file).toBe(path("b"));
    await writeFile(path("a"), "apiVersion: v1\nkind: Config\n");
    await addKubeEntries(envOf("a", "b"), entries());
    expect((await read("b")).users.map((user) => user.name)).toEqual(["minikube", "example"]);
    expect(await readFile(path("a"), "utf8")).toBe("apiVersion: v1\nkind: Config\n");
    await selectKubeContext(envOf("a", "b"), "example");
    expect((await read("b"))["current-context"]).toBe("example");
  });

  it("with files that are all missing: the last is made", async () => {
    expect((await addKubeEntries(envOf("a", "b"), entries())).file).toBe(path("b"));
    await expect(lstat(path("a"))).rejects.toThrow(/ENOENT/);
  });

  it("with empty elements: they are passed over", async () => {
    await writeFile(path("b"), foreign);
    expect((await addKubeEntries(envOf("", "b", ""), entries())).file).toBe(path("b"));
    await expect(lstat(path(".lock"))).rejects.toThrow(/ENOENT/);
  });

  it("with a read-only file: it is read, never written, and blocks nothing", async () => {
    await writeFile(path("a"), foreign, { mode: 0o444 });
    await writeFile(path("b"), "apiVersion: v1\nkind: Config\n");
    const update = await addKubeEntries(envOf("a", "b"), entries());
    expect(update).toMatchObject({ file: path("b"), current: "minikube" });
    expect(await readFile(path("a"), "utf8")).toBe(foreign);
    await expect(selectKubeContext(envOf("a", "b"), "example")).rejects.toMatchObject({ hint: expect.stringContaining("--context=example") as string });
    await chmod(path("b"), 0o400);
    await expect(addKubeEntries(envOf("a", "b"), entries())).rejects.toThrow(/read-only/);
  });

  it("with a symlink: its target is written and the link stays", async () => {
    await mkdir(path("dotfiles"));
    await writeFile(path("dotfiles/kube"), foreign);
    await symlink(path("dotfiles/kube"), path("config"));
    await addKubeEntries(envOf("config"), entries());
    expect((await lstat(path("config"))).isSymbolicLink()).toBe(true);
    expect(await readFile(path("dotfiles/kube"), "utf8")).toContain("example");
  });

  it("with what is not a kubeconfig: says where, and changes nothing", async () => {
    await writeFile(path("config"), "apiVersion: v1\nclusters: [\n  }\n");
    await expect(addKubeEntries(envOf("config"), entries())).rejects.toThrow(/config:3:\d+ is not a kubeconfig/);
    await writeFile(path("config"), "- a\n- b\n");
    await expect(addKubeEntries(envOf("config"), entries())).rejects.toThrow(/no mapping/);
    expect(await readFile(path("config"), "utf8")).toBe("- a\n- b\n");
  });
});

describe("the lock", () => {
  it("that kubectl holds is waited for", async () => {
    await writeFile(path("config.lock"), "", { mode: 0 });
    const released = sleep(300).then(() => rm(path("config.lock"), { force: true }));
    await addKubeEntries(envOf("config"), entries());
    await released;
    await expect(lstat(path("config.lock"))).rejects.toThrow(/ENOENT/);
  });

  it("keeps changes of many processes whole: none is lost", async () => {
    await writeFile(path("config"), foreign);
    await Promise.all(Array.from({ length: 12 }, (_, index) => addKubeEntries(envOf("config"), entries({ proxy: `gw${index}:3080`, gatehouseCluster: `c${index}`, clusters: [{ cluster: `c${index}`, serverName: "x" }] }))));
    expect((await read("config")).users).toHaveLength(13);
  });
});

describe("any kubeconfig", () => {
  const name = fc.stringMatching(/^[a-z][a-z0-9-]{0,12}$/).filter((text) => text !== "example");
  const config = fc.uniqueArray(name, { maxLength: 4 }).chain((names) =>
    fc.record({
      names: fc.constant(names),
      selected: fc.constantFrom("", ...names),
      indent: fc.constantFrom("", "  "),
      comment: fc.stringMatching(/^[ -~]{0,30}$/),
    }),
  );

  it("comes back to the letter after login and logout", async () => {
    await fc.assert(
      fc.asyncProperty(config, async ({ names, selected, indent, comment }) => {
        const items = (body: (name: string) => string): string => (names.length === 0 ? " []\n" : `\n${names.map(body).join("")}`);
        const text = `apiVersion: v1\n#${comment}\nkind: Config\nclusters:${items((n) => `${indent}- name: ${n}\n${indent}  cluster:\n${indent}    server: "https://${n}"\n`)}contexts:${items((n) => `${indent}- name: ${n}\n${indent}  context:\n${indent}    cluster: ${n} #${comment}\n${indent}    user: ${n}\n`)}current-context: "${selected}"\nusers:${items((n) => `${indent}- name: ${n}\n${indent}  user:\n${indent}    token: ${"x".repeat(200)}\n`)}`;
        await writeFile(path("config"), text);
        await addKubeEntries(envOf("config"), entries());
        const between = await read("config");
        expect(between.users.map((user) => user.name)).toEqual([...names, "example"]);
        expect(between["current-context"]).toBe(selected === "" ? "example" : selected);
        await removeKubeEntries(envOf("config"), "gw.example.com:3080");
        expect(await readFile(path("config"), "utf8")).toBe(text);
      }),
      { numRuns: 40 },
    );
  });
});
