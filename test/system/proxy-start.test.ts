import { mkdtemp, readdir, rm, stat, writeFile } from "node:fs/promises";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startKubeApi } from "../stand-ins/kube-api.ts";
import { run, start, type Outcome } from "../support/process.ts";
import { cleanEnv, tctlPath, tshPath } from "../support/world.ts";

const anyPort = ["--web-listen-addr=127.0.0.1:0", "--admin-listen-addr=127.0.0.1:0", "--kube-listen-addr=127.0.0.1:0", "--ssh-listen-addr=127.0.0.1:0"];

/** What an operator reads when a gateway starts, or does not. */
describe("tsh proxy", () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "gatehouse-start-"));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  const options = (): { env: NodeJS.ProcessEnv; cwd: string } => ({ env: cleanEnv({ HOME: folder, XDG_STATE_HOME: folder }), cwd: folder });
  const fail = async (...args: string[]): Promise<Outcome> =>
    run(process.execPath, [tshPath, "proxy", `--data-dir=${join(folder, "failed")}`, ...anyPort.filter((flag) => !args.some((arg) => arg.split("=")[0] === flag.split("=")[0])), ...args], options());

  it("says which file does not exist, and what to do", async () => {
    expect(await fail("-c", "nofile.yaml")).toMatchObject({ code: 5, stderr: "✖ the configuration nofile.yaml does not exist\n  name another one with -c, or start without: flags alone will do\n" });
    const kubeconfig = await fail("--kubeconfig-file=nofile");
    expect([kubeconfig.code, kubeconfig.stderr]).toEqual([1, expect.stringMatching(/✖ the kubeconfig \S*nofile cannot be used: it does not exist\n {2}correct /)]);
    await writeFile(join(folder, "tls.yaml"), "proxy_service: {https_key_file: /nosuch/key.pem, https_cert_file: /nosuch/cert.pem}\n");
    expect((await fail("-c", "tls.yaml")).stderr).toContain("proxy_service.https_key_file: /nosuch/key.pem does not exist\n  correct the path");
    await writeFile(join(folder, "broken.yaml"), 'proxy_service:\n  public_addr: ["a"]]\n');
    expect(await fail("-c", "broken.yaml")).toMatchObject({ code: 1, stderr: '✖ broken.yaml is not valid YAML: broken.yaml:2:21 unexpected "]"\n    public_addr: ["a"]]\n                      ^\n' });
  });

  it("that cannot listen fails with 1: it is no client that cannot reach a gateway", async () => {
    const taken = createServer();
    await new Promise<void>((resolve) => taken.listen(0, "127.0.0.1", resolve));
    const { port } = taken.address() as AddressInfo;
    const outcome = await fail(`--web-listen-addr=127.0.0.1:${port}`);
    taken.close();
    expect([outcome.code, outcome.stderr]).toEqual([1, expect.stringContaining("another process listens there")]);
  });

  it("says which RBAC is missing, keeps its lock to itself, and asks for an administrator until there is one", async () => {
    const api = await startKubeApi({ user: "somebody" });
    try {
      await writeFile(join(folder, "kubeconfig"), api.kubeconfig, { mode: 0o600 });
      const dataDir = join(folder, "data");
      const args = [tshPath, "proxy", `--data-dir=${dataDir}`, ...anyPort, `--kubeconfig-file=${join(folder, "kubeconfig")}`];
      const first = start(process.execPath, [...args, "--cluster-name=one"], options());
      await first.waitFor(/^ready in/m, "stdout");
      expect(first.stdout()).toMatch(/kubernetes +\S+ ✖ cannot impersonate users, impersonate groups(?:, \S+ \S+)*: run tctl kubeconfig create, or bind the ClusterRole in docs\/gateway\.md/);
      expect(first.stdout()).toContain("no administrator yet: create one with  tctl --data-dir=");
      for (const name of await readdir(dataDir)) {
        const found = await stat(join(dataDir, name));
        if (found.isFile()) expect([name, found.mode & 0o077]).toEqual([name, 0]);
      }
      expect((await run(process.execPath, [tctlPath, `--data-dir=${dataDir}`, "users", "add", "ana", "--roles=admin"], options())).code).toBe(0);
      await first.stop();
      const other = await run(process.execPath, [...args, "--cluster-name=two"], options());
      expect([other.code, other.stderr]).toEqual([1, expect.stringContaining("start with --cluster-name=one")]);
      const second = start(process.execPath, [...args, "--cluster-name=one"], options());
      await second.waitFor(/^ready in/m, "stdout");
      expect(second.stdout()).not.toContain("administrator");
      await second.stop();
    } finally {
      await api.close();
    }
  });
});
