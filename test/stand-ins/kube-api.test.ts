import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { request } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parse } from "yaml";
import { run, start } from "../support/process.ts";
import { requireTool } from "@gatehouse/core/testing";
import { startKubeApi, type KubeApi } from "./kube-api.ts";

interface Answer {
  status: number;
  body: string;
}

let api: KubeApi;
let folder: string;
let kubeconfig: string;

beforeAll(async () => {
  api = await startKubeApi();
  folder = await mkdtemp(join(tmpdir(), "kube-api-"));
  kubeconfig = join(folder, "kubeconfig");
  await writeFile(kubeconfig, api.kubeconfig);
});
afterAll(async () => {
  await api.close();
  await rm(folder, { recursive: true, force: true });
});

function call(path: string, headers: Record<string, string | string[]>, withCertificate = true): Promise<Answer> {
  const config = parse(api.kubeconfig) as { clusters: { cluster: Record<string, string> }[]; users: { user: Record<string, string> }[] };
  const decode = (text: string | undefined): Buffer => Buffer.from(text ?? "", "base64");
  const own = withCertificate ? { cert: decode(config.users[0]!.user["client-certificate-data"]), key: decode(config.users[0]!.user["client-key-data"]) } : {};
  return new Promise((resolve, reject) => {
    request(`${api.url}${path}`, { ca: decode(config.clusters[0]!.cluster["certificate-authority-data"]), headers, agent: false, ...own }, (response) => {
      let body = "";
      response.setEncoding("utf8").on("data", (chunk: string) => (body += chunk));
      response.on("end", () => resolve({ status: response.statusCode ?? 0, body }));
    })
      .on("error", reject)
      .end();
  });
}

const podsPath = "/api/v1/namespaces/default/pods";

describe("the stand-in Kubernetes API", () => {
  it("lets nobody in without the gateway's certificate, and the gateway itself do nothing but impersonate", async () => {
    expect((await call(podsPath, { "impersonate-user": "ana", "impersonate-group": "developers" }, false)).status).toBe(401);
    const own = await call(podsPath, {});
    expect([own.status, own.body]).toEqual([403, expect.stringContaining('User \\"access-gateway\\" cannot list resource \\"pods\\"') as string]);
  });

  it("decides by the impersonated groups, as Kubernetes does", async () => {
    const as = (path: string, ...groups: string[]): Promise<Answer> => call(path, { "impersonate-user": "ana", "impersonate-group": groups });
    expect((await as(podsPath, "viewers")).status).toBe(200);
    expect((await as(podsPath, "strangers")).status).toBe(403);
    expect((await as("/api/v1/namespaces/kube-system/pods", "developers")).status).toBe(403);
    expect((await as("/api/v1/pods", "developers")).status).toBe(403);
    expect((await as(`${podsPath}/nope`, "viewers")).status).toBe(404);
    const exec = await as(`${podsPath}/shell/exec?command=true`, "viewers");
    expect([exec.status, exec.body]).toEqual([403, expect.stringContaining('pods \\"shell\\" is forbidden') as string]);
  });

  it("refuses impersonation that the real server would refuse", async () => {
    expect((await call(podsPath, { "impersonate-group": "developers" })).status).toBe(400);
    expect((await call(podsPath, { "impersonate-user": "ana", "impersonate-uid": "1", "impersonate-group": "developers" })).status).toBe(403);
    expect((await call(podsPath, { "impersonate-user": "ana", "impersonate-extra-scopes": "x", "impersonate-group": "developers" })).status).toBe(403);
  });

  it("binds loopback alone", async () => {
    await expect(startKubeApi({ host: "0.0.0.0" })).rejects.toThrow(/loopback/);
    await expect(startKubeApi({ host: "192.0.2.1" })).rejects.toThrow(/loopback/);
  });

  describe.skipIf(!requireTool("kubectl", "https://kubernetes.io/docs/tasks/tools/"))("with a real kubectl", () => {
    const kubectl = (group: string, ...args: string[]): ReturnType<typeof run> =>
      run("kubectl", ["--as=ana", `--as-group=${group}`, "--as-group=system:authenticated", ...args], { env: { ...process.env, KUBECONFIG: kubeconfig, HOME: folder } });

    it("lists pods, as a table and by name", async () => {
      const table = await kubectl("viewers", "get", "pods");
      expect(table.stderr).toBe("");
      expect(table.stdout).toMatch(/^NAME\s+READY\s+STATUS\s+RESTARTS\s+AGE\nshell\s+1\/1\s+Running/);
      expect((await kubectl("viewers", "get", "pods", "-o", "name", "--field-selector=status.phase=Running")).stdout).toBe("pod/shell\npod/web\n");
      expect((await kubectl("viewers", "logs", "shell")).stdout).toBe("shell started\n");
    });

    it("runs commands, with output, errors and the exit code", async () => {
      const exec = await kubectl("developers", "exec", "shell", "--", "sh", "-c", "echo out; echo err >&2; exit 3");
      expect(exec.stdout).toBe("out\n");
      expect(exec.stderr).toContain("err\n");
      expect(exec.code).toBe(3);
    });

    it("answers who may do what", async () => {
      expect((await kubectl("developers", "auth", "can-i", "create", "pods", "--subresource=exec")).stdout).toBe("yes\n");
      expect((await kubectl("viewers", "auth", "can-i", "create", "pods", "--subresource=exec")).stdout).toBe("no\n");
    });

    it("follows logs", async () => {
      const logs = start("kubectl", ["--as=ana", "--as-group=viewers", "logs", "-f", "shell"], { env: { ...process.env, KUBECONFIG: kubeconfig, HOME: folder } });
      await logs.waitFor(/tick 2/, "stdout", 15_000);
      await logs.stop();
    });
  });
});
